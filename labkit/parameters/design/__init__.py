"""Parameters of the stage `design`: what all families take, and one model per family.

The model of a family is its *envelope*: the range of each parameter, and why it ends
where it does.  What lies outside is refused by name.
"""

from labkit.parameters.design.anatomical_model import AnatomicalModel
from labkit.parameters.design.dosage_form import DosageForm
from labkit.parameters.design.family import Design, number
from labkit.parameters.design.lattice import Lattice
from labkit.parameters.design.orthosis import Orthosis
from labkit.parameters.design.prosthesis import Prosthesis
from labkit.parameters.design.scaffold import Scaffold
from labkit.parameters.design.surgical_guide import SurgicalGuide

FAMILIES: dict[str, type[Design]] = {
    "anatomical model": AnatomicalModel,
    "surgical guide": SurgicalGuide,
    "dosage form": DosageForm,
    "lattice": Lattice,
    "scaffold": Scaffold,
    "orthosis": Orthosis,
    "prosthesis": Prosthesis,
}
"""The parameters of each family, by the name of the device."""

__all__ = [
    "FAMILIES",
    "AnatomicalModel",
    "Design",
    "DosageForm",
    "Lattice",
    "Orthosis",
    "Prosthesis",
    "Scaffold",
    "SurgicalGuide",
    "number",
]
