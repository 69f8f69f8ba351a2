"""Parts from patient surfaces: one module per family, one way to use them all."""

from labkit.design.families import FAMILIES, design_part
from labkit.design.family import Anatomy, Family
from labkit.design.imported import Imported, read_part
from labkit.design.inputs import read_anatomy, with_files
from labkit.design.orientation import Orientation, Proposal, propose, turned
from labkit.design.part import EDIT_COLUMNS, Edit, Feature, Part, PrintObject
from labkit.design.placing import Placement
from labkit.design.printability import Printability, printability
from labkit.design.repair import Repaired, repaired
from labkit.design.revisions import Difference, Earlier, difference, earlier_part
from labkit.design.threemf import read_3mf, write_3mf

__all__ = [
    "EDIT_COLUMNS",
    "FAMILIES",
    "Anatomy",
    "Difference",
    "Earlier",
    "Edit",
    "Family",
    "Feature",
    "Imported",
    "Orientation",
    "Part",
    "Placement",
    "PrintObject",
    "Printability",
    "Proposal",
    "Repaired",
    "design_part",
    "difference",
    "earlier_part",
    "printability",
    "propose",
    "read_3mf",
    "read_anatomy",
    "read_part",
    "repaired",
    "turned",
    "with_files",
    "write_3mf",
]
