"""The grey values by which a structure stands out in CT."""

from dataclasses import dataclass

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation, Structure
from labkit.volume import AIR_HU


@dataclass(frozen=True)
class Preset:
    """The grey values of a structure in CT.

    Parameters
    ----------
    threshold_hu : where most begin.
    low_hu, high_hu : bounds of the thresholds that make sense for it.
    beside_hu : what lies beside it is at least as bright; air beside bone is a sinus.
    terminology : coded category and type, as 3D Slicer writes them.
    source : where the grey values come from.
    """

    threshold_hu: int
    low_hu: int
    high_hu: int
    beside_hu: int
    terminology: str
    source: str


_TERMS = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^{}~^^~Anatomic codes - DICOM master list~^^~^^"
)
_TISSUE_HU = -300
"""Fat is near -100 HU, lung and air below -400: bones are measured against what is brighter."""

_BESIDE_AIR_HU = AIR_HU - 100

PRESETS: dict[Structure, Preset] = {
    "bone": Preset(
        300,
        120,
        1500,
        _TISSUE_HU,
        _TERMS.format("272673000^Bone"),
        "labkit's own, above the 226 HU with which InVesalius and Mimics begin; errors of global "
        "thresholds: van Eijnatten 2018, doi 10.1016/j.medengphy.2017.10.008",
    ),
    "cortical bone": Preset(
        662,
        400,
        2000,
        _TISSUE_HU,
        _TERMS.format("272673000^Bone"),
        "InVesalius 3, 'Compact Bone (Adult)': 662 to 1988 HU (children: from 586 HU)",
    ),
    "soft tissue": Preset(
        -150,
        -250,
        100,
        _BESIDE_AIR_HU,
        _TERMS.format("87784001^Soft tissue"),
        "labkit's own: below fat, which lies near -100 HU",
    ),
    "skin": Preset(
        -300,
        -700,
        -150,
        _BESIDE_AIR_HU,
        _TERMS.format("39937001^Skin"),
        "labkit's own: between air (-1000 HU by definition) and fat; InVesalius 3, "
        "'Skin Tissue (Adult)': -718 to -177 HU",
    ),
    "vessels": Preset(
        200,
        100,
        500,
        _TISSUE_HU,
        _TERMS.format("59820001^Blood Vessel"),
        "labkit's own: half way between blood and tissue (about 40 HU) and an artery that "
        "contrast agent made 359 HU brighter (Lell 2017, doi 10.1371/journal.pone.0173592)",
    ),
    "teeth": Preset(
        1100,
        700,
        2500,
        _TISSUE_HU,
        _TERMS.format("38199008^Tooth"),
        "labkit's own: below dentine, 1323 to 1899 HU; enamel has 2071 to 2955 HU "
        "(Reshetnikov 2024, doi 10.2196/56759, children)",
    ),
}
"""Grey values by structure, in HU; codes from SNOMED CT as in DICOM PS3.16 CID 7151."""


def check_threshold(parameters: Segmentation) -> None:
    """See that the threshold makes sense for the structure.

    Raises
    ------
    SegmentationError
        It lies outside the structure's window.
    """
    preset = PRESETS[parameters.structure]
    if not preset.low_hu <= parameters.threshold_hu <= preset.high_hu:
        nearest = min(max(parameters.threshold_hu, preset.low_hu), preset.high_hu)
        raise SegmentationError(
            f"threshold_hu = {parameters.threshold_hu} for {parameters.structure}",
            expected=f"{preset.low_hu} to {preset.high_hu} HU, usually {preset.threshold_hu}",
            where="02_segmentation",
            fix=f"the nearest valid value is threshold_hu = {nearest}, or choose another structure",
        )
