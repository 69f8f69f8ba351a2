"""What the header of a series says of how it was made: for judgement, never for geometry."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from labkit.home import pseudonym

_BODY_PARTS = """
ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS BUTTOCK
CALCANEUS CALF CAROTID CEREBELLUM CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS CLAVICLE
COCCYX COLON CORNEA CORONARYARTERY CSPINE CTSPINE EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE
FEMUR FIBULA FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS IAC ILIUM JAW
JAWREGION KIDNEY KNEE LARYNX LEG LIVER LOWERLEG LSPINE LSSPINE LUNG MANDIBLE MASTOID MAXILLA
MEDIASTINUM MOUTH NASOPHARYNX NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE OPTICCANAL
ORBIT OVARY PANCREAS PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM RIB
SACRUM SCALP SCAPULA SCLERA SCROTUM SHOULDER SKULL SPINE SPLEEN SSPINE STERNUM STOMACH
SUBMANDIBULAR TARSUS TESTIS THIGH THORAX THUMB THYMUS THYROID TIBIA TIBIAFIBULA TLSPINE TMJ TOE
TONGUE TRACHEA TSPINE ULNA UPPERARM URETER UTERUS VESSEL WHOLEBODY WRIST ZYGOMA
"""
BODY_PARTS = frozenset(_BODY_PARTS.split())
"""Terms of Body Part Examined, most of them of DICOM PS3.16 Annex L, the others what scanners
write besides; anything else may be free text."""

_SCHEMES = {"SCT", "SRT", "SNM3", "DCM", "RADLEX", "LN", "UMLS", "FMA"}
_CODE = re.compile(r"[A-Z0-9][A-Z0-9.-]{0,31}", re.ASCII | re.IGNORECASE)

_MODALITY = re.compile(r"[A-Z]{2,16}")
_POSITION = re.compile(r"(HF|FF|LF|RF|AF|PF)(S|P|DR|DL)")
_LETTERS = re.compile(r"[LRAPHF]{1,3}")
_PLAIN = re.compile(r"[\w +./()-]{1,64}", re.ASCII)
_NAMING = ("PatientName", "PatientID", "OtherPatientIDs", "PatientBirthDate")

FACT_TAGS = [
    "BodyPartExamined",
    "BurnedInAnnotation",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ConvolutionKernel",
    "FrameOfReferenceUID",
    "GantryDetectorTilt",
    "ImageHorizontalFlip",
    "ImageLaterality",
    "ImageRotation",
    "ImageType",
    "KVP",
    "LossyImageCompression",
    "Laterality",
    "Manufacturer",
    "ManufacturerModelName",
    "Modality",
    *_NAMING,
    "PatientOrientation",
    "PatientPosition",
    "PerformedProtocolCodeSequence",
    "ProcedureCodeSequence",
    "RecognizableVisualFeatures",
    "ReconstructionDiameter",
    "SOPClassUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SliceThickness",
    "SpacingBetweenSlices",
    "StudyInstanceUID",
]
"""The tags that `facts_of` and `series_of` read, besides those of the image."""

_TELLING_APART = (
    "PatientID",
    "PatientName",
    "StudyInstanceUID",
    "Modality",
    "FrameOfReferenceUID",
    "SeriesNumber",
    "Rows",
    "Columns",
)


@dataclass(frozen=True)
class SeriesFacts:
    """What the first header of a series says, and nothing that names the patient but UIDs.

    Empty text and None: the header does not say.  Words that are no plain ones, or that
    hold a word of the patient's name or number, are left out.

    Parameters
    ----------
    modality : CT, MR, XA …
    image_type : the words of Image Type (PS3.3 C.7.6.1.1.2).
    body_part : one of `BODY_PARTS`; empty for any other text.
    protocol_codes : codes of procedure and protocol, as ``SCT:77477000``; never their meaning.
    kernel : Convolution Kernel, several joined by ``/``.
    slice_thickness_mm : Slice Thickness, mm: how thick, not how far apart.
    spacing_between_slices_mm : as the header has it; no source of geometry.
    kvp : peak tube voltage, kV.
    contrast : whether a contrast agent is named.
    manufacturer, model : of the scanner.
    gantry_tilt_deg : Gantry/Detector Tilt, degrees; no source of geometry.
    patient_position : HFS, FFS … (PS3.3 C.7.3.1.1.2).
    patient_orientation : directions of a row and of a column, as ``("L", "P")``.
    flipped : whether the header says that the pixels were flipped or turned for display.
    laterality : left, right or empty: Image Laterality, else Laterality.
    reconstruction_diameter_mm : of the field that was reconstructed, mm.
    lossy : whether the pixels were ever compressed with loss (PS3.3 C.7.6.1.1.5).
    burned_in_annotation, recognizable_visual_features : as the header claims.
    patient : this lab's pseudonym of the patient's number or, without one, name; for no record.
    sop_class_uid, study_instance_uid, series_instance_uid, frame_of_reference_uid :
        as the file has them: replace them before they leave the import.
    """

    modality: str = ""
    image_type: tuple[str, ...] = ()
    body_part: str = ""
    protocol_codes: tuple[str, ...] = ()
    kernel: str = ""
    slice_thickness_mm: float | None = None
    spacing_between_slices_mm: float | None = None
    kvp: float | None = None
    contrast: bool = False
    manufacturer: str = ""
    model: str = ""
    gantry_tilt_deg: float | None = None
    patient_position: str = ""
    patient_orientation: tuple[str, ...] = ()
    flipped: bool = False
    laterality: str = ""
    reconstruction_diameter_mm: float | None = None
    lossy: bool = False
    burned_in_annotation: bool | None = None
    recognizable_visual_features: bool | None = None
    patient: str = ""
    sop_class_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    frame_of_reference_uid: str = ""


def series_of(header: Dataset) -> str:
    """What names the series of an image: its UID or, where that is empty, what tells series apart.

    A series belongs to one study and has one modality and at most one frame of reference
    (PS3.3 A.1.2.3).  That patient, number and size tell series apart too is labkit's own.
    """
    uid = text_of(header, "SeriesInstanceUID")
    return uid or "without UID: " + "\\".join(text_of(header, name) for name in _TELLING_APART)


def facts_of(header: Dataset) -> SeriesFacts:
    """The facts of a series, from the header of one of its images."""
    modality = text_of(header, "Modality")
    body_part = text_of(header, "BodyPartExamined").upper().replace("_", "").replace(" ", "")
    sides = {"L": "left", "R": "right"}
    side = text_of(header, "ImageLaterality") or text_of(header, "Laterality")
    patient = _said(header, "PatientID") or _said(header, "PatientName")
    plain = _plain_words(header)
    return SeriesFacts(
        modality=modality if _MODALITY.fullmatch(modality) else "",
        image_type=tuple(plain("ImageType")),
        body_part=body_part if body_part in BODY_PARTS else "",
        protocol_codes=_codes(header),
        kernel="/".join(plain("ConvolutionKernel")),
        slice_thickness_mm=number_of(header, "SliceThickness"),
        spacing_between_slices_mm=number_of(header, "SpacingBetweenSlices"),
        kvp=number_of(header, "KVP"),
        contrast=bool(
            _value(header, "ContrastBolusAgent") or _value(header, "ContrastBolusAgentSequence")
        ),
        manufacturer=" ".join(plain("Manufacturer")),
        model=" ".join(plain("ManufacturerModelName")),
        gantry_tilt_deg=number_of(header, "GantryDetectorTilt"),
        patient_position=_matching(_POSITION, text_of(header, "PatientPosition")),
        patient_orientation=tuple(
            _matching(_LETTERS, word.strip().upper())
            for word in words_of(header, "PatientOrientation")
        ),
        flipped=text_of(header, "ImageHorizontalFlip") == "Y"
        or bool(number_of(header, "ImageRotation")),
        laterality=sides.get(side, ""),
        reconstruction_diameter_mm=number_of(header, "ReconstructionDiameter"),
        lossy=text_of(header, "LossyImageCompression") == "01",
        burned_in_annotation=_claim(header, "BurnedInAnnotation"),
        recognizable_visual_features=_claim(header, "RecognizableVisualFeatures"),
        patient=pseudonym(patient.casefold()) if patient else "",
        sop_class_uid=text_of(header, "SOPClassUID"),
        study_instance_uid=text_of(header, "StudyInstanceUID"),
        series_instance_uid=text_of(header, "SeriesInstanceUID"),
        frame_of_reference_uid=text_of(header, "FrameOfReferenceUID"),
    )


def _plain_words(header: Dataset) -> Callable[[str], list[str]]:
    """What gives the values of a tag that are plain words and do not name this patient."""
    naming = {
        part
        for name in _NAMING
        for part in re.split(r"[\W_]+", _said(header, name).casefold())
        if len(part) > 2
    }

    def plain(name: str) -> list[str]:
        words = [word.strip() for word in words_of(header, name)]
        return [
            word
            for word in words
            if _PLAIN.fullmatch(word) and not naming & set(re.split(r"[\W_]+", word.casefold()))
        ]

    return plain


def _said(header: Dataset, name: str) -> str:
    value = _value(header, name)
    return "" if value is None else str(value).strip(" \0^")


def _matching(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else ""


def words_of(header: Dataset, name: str) -> list[str]:
    """The values of a tag as text; empty where it is absent."""
    value = _value(header, name)
    if value is None or value == "":
        return []
    return [str(word) for word in (value if _many(value) else [value])]


def text_of(header: Dataset, name: str) -> str:
    """The first value of a tag as text; empty where it is absent."""
    return next(iter(words_of(header, name)), "").strip()


def number_of(header: Dataset, name: str) -> float | None:
    """The first value of a tag as a finite number; None where it is none."""
    try:
        number = float(text_of(header, name))
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _value(header: Dataset, name: str) -> Any:
    try:
        return header.get(name)
    except Exception:  # a damaged value can make its conversion raise anything
        return None


def _many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _claim(header: Dataset, name: str) -> bool | None:
    return {"YES": True, "NO": False}.get(text_of(header, name).upper())


def _codes(header: Dataset) -> tuple[str, ...]:
    found = []
    for name in ("PerformedProtocolCodeSequence", "ProcedureCodeSequence"):
        items = _value(header, name)
        for item in items if _many(items) else []:
            scheme, code = text_of(item, "CodingSchemeDesignator"), text_of(item, "CodeValue")
            if scheme in _SCHEMES and _CODE.fullmatch(code):
                found.append(f"{scheme}:{code}")
    return tuple(dict.fromkeys(found))
