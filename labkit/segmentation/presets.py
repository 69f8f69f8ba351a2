"""The grey values by which a structure stands out in CT."""

from dataclasses import dataclass

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation, Structure


@dataclass(frozen=True)
class Preset:
    """The grey values of a structure in CT.

    ``low_hu`` and ``high_hu`` bound the thresholds that make sense for it.
    """

    threshold_hu: int
    low_hu: int
    high_hu: int
    terminology: str


_TERMS = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^{}~^^~Anatomic codes - DICOM master list~^^~^^"
)
PRESETS: dict[Structure, Preset] = {
    "bone": Preset(300, 120, 1500, _TERMS.format("272673000^Bone")),
    "soft tissue": Preset(-150, -250, 100, _TERMS.format("87784001^Soft tissue")),
    "skin": Preset(-300, -700, -150, _TERMS.format("39937001^Skin")),
}
"""Grey values by structure.  Bone: 226 to 300 HU are the usual lower limits for bone
in CT (Mimics' preset is 226); air is −1000 and water 0 HU by definition, and fat lies
near −100 HU, hence the windows of soft tissue and skin."""


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
