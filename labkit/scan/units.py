"""What the grey values of a series mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.uid import UID, CTImageStorage, MRImageStorage

from labkit.scan.facts import SeriesFacts
from labkit.scan.image import Image
from labkit.scan.multiframe import CONE_BEAM, MULTIFRAME
from labkit.volume import Unit

CONE_BEAM_MAKERS = (
    "acteon",
    "asahi roentgen",
    "carestream",
    "cefla",
    "dentsply",
    "genoray",
    "gendex",
    "hdx",
    "imaging sciences",
    "instrumentarium",
    "kavo",
    "morita",
    "myray",
    "newtom",
    "owandy",
    "planmeca",
    "prexion",
    "quantitative radiology",
    "rayscan",
    "sirona",
    "soredex",
    "trophy",
    "vatech",
    "villa sistemi",
)
"""Makers whose volumes come from dental cone-beam scanners, in lower case."""

_TERMS = {"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}
"""Rescale Type, PS3.3 C.11.1.1.2."""

NO_UNIT = "grey values of MR have no unit: thresholds in Hounsfield units do not apply"
NOT_CALIBRATED = (
    "a cone-beam volume: its grey values are not calibrated and differ within the field, "
    "so that a threshold in Hounsfield units is only a start"
)
UNSPECIFIED = (
    "Rescale Type is US (unspecified), as programs write it that exported a CT again: taken as "
    "Hounsfield units; look whether air is near -1000"
)


@dataclass(frozen=True)
class Meaning:
    """What grey values mean.

    Parameters
    ----------
    unit : HU, or arbitrary.
    findings : what a person should know, a sentence each.
    refusal : why they mean nothing certain; None if they do.
    """

    unit: Unit = "HU"
    findings: tuple[str, ...] = ()
    refusal: str | None = None


def meaning_of(facts: SeriesFacts, images: Sequence[Image]) -> Meaning:
    """What the grey values of these images mean, by modality, kind of object and Rescale Type.

    Rescaled values of CT are Hounsfield units unless Rescale Type says otherwise (PS3.3
    C.8.2.1, Rescale Type; its terms C.11.1.1.2).
    """
    kind, modality = facts.sop_class_uid, facts.modality
    if reason := _other_kind(kind, modality):
        return Meaning(refusal=reason)
    if any(image.rescale and not image.rescale[0] for image in images):
        return Meaning(refusal="an image without Rescale Slope and Intercept: the slope is 0")
    if len({image.rescale is None for image in images}) > 1:
        return Meaning(refusal="some images without Rescale Slope and Intercept: others have them")
    if modality == "MR":
        return Meaning("arbitrary", (NO_UNIT,))
    types = {image.rescale_type for image in images}
    findings = (NOT_CALIBRATED,) if is_cone_beam(facts) else ()
    if kind in CONE_BEAM and types != {"HU"}:
        return Meaning("arbitrary", findings)
    if any(image.rescale is None for image in images):
        return Meaning(
            refusal="an image without Rescale Slope and Intercept: grey values of unknown meaning"
        )
    if types <= {"", "HU"}:
        return Meaning("HU", findings)
    if types == {"US"} and "AXIAL" in facts.image_type:
        return Meaning("HU", (*findings, UNSPECIFIED))
    if len(types) > 1:
        return Meaning(refusal="images of different Rescale Type: grey values that do not compare")
    said = " ".join(types & _TERMS) or "something else"
    finding = f"Rescale Type calls the grey values {said}, not HU: they have no unit here"
    return Meaning("arbitrary", (*findings, finding))


def is_cone_beam(facts: SeriesFacts) -> bool:
    """Whether a volume was reconstructed from cone-beam projections, as far as one can tell."""
    maker = facts.manufacturer.lower()
    return facts.sop_class_uid in CONE_BEAM or any(name in maker for name in CONE_BEAM_MAKERS)


def _other_kind(kind: str, modality: str) -> str | None:
    allowed = {str(CTImageStorage): "CT", str(MRImageStorage): "MR"}
    if kind in CONE_BEAM:
        return None
    if kind in allowed and allowed[kind] != modality:
        return f"modality {modality or 'unknown'} in {allowed[kind]} images"
    if modality not in ("CT", "MR"):
        return f"modality {modality or 'unknown'}, not CT, MR or a cone-beam volume"
    if kind and kind not in allowed and kind not in MULTIFRAME:
        name = UID(kind).name if UID(kind).is_valid else ""
        return f"no slices of a scan ({name if name != kind else 'unknown kind of object'})"
    return None
