"""What a person may decide in each stage: one frozen model per stage.

From these declarations come the validation, the notebook's parameters cell (a
test compares them), the widgets' bounds and the help tables.
"""

from labkit.parameters.cell import given_values
from labkit.parameters.design import (
    FAMILIES,
    AnatomicalModel,
    Design,
    DosageForm,
    Lattice,
    Orthosis,
    Prosthesis,
    Scaffold,
    SurgicalGuide,
)
from labkit.parameters.fields import bounds, choices, is_path, kept_as, named_in, places, unit, why
from labkit.parameters.inspection import Inspection
from labkit.parameters.printing import Printing
from labkit.parameters.scan import Scan
from labkit.parameters.segmentation import Segmentation
from labkit.parameters.slicing import Slicing
from labkit.parameters.stage import StageParameters
from labkit.parameters.structures import NamedStructure, Structure, named_structures
from labkit.parameters.traceability import Traceability
from labkit.parameters.validation import MODELS, as_it_comes, model_of, validated

__all__ = [
    "FAMILIES",
    "MODELS",
    "AnatomicalModel",
    "Design",
    "DosageForm",
    "Inspection",
    "Lattice",
    "NamedStructure",
    "Orthosis",
    "Printing",
    "Prosthesis",
    "Scaffold",
    "Scan",
    "Segmentation",
    "Slicing",
    "StageParameters",
    "Structure",
    "SurgicalGuide",
    "Traceability",
    "as_it_comes",
    "bounds",
    "choices",
    "given_values",
    "is_path",
    "kept_as",
    "model_of",
    "named_in",
    "named_structures",
    "places",
    "unit",
    "validated",
    "why",
]
