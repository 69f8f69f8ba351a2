"""Label maps as DICOM Segmentation objects (PS3.3 A.51), made by highdicom."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import numpy.typing as npt
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as DicomCode
from pydicom.uid import CTImageStorage
from pydicom.valuerep import format_number_as_ds

import labkit
from labkit.files import written_whole
from labkit.segmentation.labels.label_map import Algorithm, Code, LabelMap, revalued
from labkit.segmentation.labels.stored import empty

NOT_FOR_DIAGNOSIS = "Not for diagnostic use / not for implantation"
SERIES_NUMBER = 9001
"""Far from a scanner's own series of the study."""

_FAMILIES: dict[Algorithm, DicomCode] = {
    "AUTOMATIC": codes.DCM.ArtificialIntelligence,
    "SEMIAUTOMATIC": codes.DCM.NeighborhoodAnalysis,
    "MANUAL": codes.DCM.ManualProcessing,
}
"""Terms of PS3.16 CID 7162."""


@dataclass(frozen=True)
class SourceReferences:
    """The scan behind a mask, in this lab's pseudonyms, as ``01_scan/series.json`` lists it.

    Parameters
    ----------
    study_instance_uid, series_instance_uid : of the scan.
    sop_class_uid : of its images.
    sop_instance_uids : of its images, in the order of the volume's planes (k).
    resampled : whether the volume was straightened or interpolated, so that its planes are
        no longer those images.
    modality : of the scan.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: Sequence[str]
    sop_class_uid: str = CTImageStorage
    resampled: bool = False
    modality: str = "CT"

    @classmethod
    def of_import(cls, recorded: Mapping[str, Any]) -> "SourceReferences | None":
        """From the content of ``01_scan/series.json``; None where the scan was no DICOM."""
        uids = recorded.get("pseudonyms", {})
        images = [image["sop_instance_uid"] for image in recorded.get("images", [])]
        if not all(images) or not {"study_instance_uid", "series_instance_uid"} <= set(uids):
            return None
        return cls(
            study_instance_uid=uids["study_instance_uid"],
            series_instance_uid=uids["series_instance_uid"],
            sop_instance_uids=images,
            sop_class_uid=recorded["facts"]["sop_class_uid"],
            resampled=bool(recorded["geometry"]["corrections"]),
            modality=recorded["facts"]["modality"],
        )


def write_seg(
    label_map: LabelMap,
    references: SourceReferences | None,
    path: Path,
    *,
    case_code: str,
    made: datetime,
) -> str:
    """Write the label map as a binary DICOM SEG; empty, or why there is none.

    The patient is the case code.  All UIDs are made from the content, ``made`` is the only
    time in it: the same arguments give the same bytes.  Segments are numbered 1, 2, 3 … in
    their order, as the standard asks.

    Where the planes are images of the scan each frame names its image; where the volume was
    resampled, or several planes come from one file, the scan is referred to as a whole.

    Parameters
    ----------
    made : when, with its time zone; written in UTC.

    Raises
    ------
    SegmentationError
        The label map is empty.
    """
    if made.tzinfo is None:
        raise ValueError("a time without its time zone")
    if references is None or not references.sop_instance_uids:
        return "no DICOM SEG: the scan did not come as DICOM, so there are no images to refer to"
    if not label_map.frame_of_reference_uid:
        return "no DICOM SEG: the scan names no frame of reference"
    if not label_map.labels.any():
        raise empty()
    made = made.astimezone(UTC)
    identity = _identity(label_map, references, case_code, made)
    numbers = {value: number for number, value in enumerate(label_map.segments, 1)}
    one_by_one = not references.resampled and len(set(references.sop_instance_uids)) == len(
        label_map.labels
    )
    seg = Segmentation(
        source_images=_sources(label_map, references, case_code),
        pixel_array=highdicom.Volume(
            revalued(label_map.labels, numbers),
            affine=label_map.ijk_to_lps[:, [2, 1, 0, 3]],
            coordinate_system="PATIENT",
            frame_of_reference_uid=label_map.frame_of_reference_uid,
        ),
        segmentation_type="BINARY",
        segment_descriptions=_descriptions(label_map, references, case_code),
        series_instance_uid=_uid("series", identity),
        series_number=SERIES_NUMBER,
        sop_instance_uid=_uid("instance", identity),
        instance_number=1,
        manufacturer="labkit",
        manufacturer_model_name="labkit",
        software_versions=labkit.__version__,
        device_serial_number="0",
        content_description=NOT_FOR_DIAGNOSIS,
        content_label="LABKIT_MASK",
        content_date=made.date(),
        content_time=made.time(),
        specific_character_set="ISO_IR 192",
        series_description=f"Masks. {NOT_FOR_DIAGNOSIS}",
    )
    seg.InstanceCreationDate, seg.InstanceCreationTime = seg.ContentDate, seg.ContentTime
    seg.TimezoneOffsetFromUTC = "+0000"
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = _uid("dimensions", identity)
    for equipment in seg.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = made.strftime("%Y%m%d%H%M%S+0000")
    for description in seg.SegmentSequence:
        description.SegmentDescription = NOT_FOR_DIAGNOSIS
    if not one_by_one:
        for frame in seg.PerFrameFunctionalGroupsSequence:
            frame.DerivationImageSequence = []
    _name_the_class(seg, references.sop_class_uid)
    with written_whole(path) as temporary:
        seg.save_as(temporary)
    return ""


def _name_the_class(seg: Dataset, sop_class_uid: str) -> None:
    """Refer to images of the scan's class: of an enhanced one highdicom would ask for more."""

    def rename(_: Dataset, element: DataElement) -> None:
        if element.keyword == "ReferencedSOPClassUID":
            element.value = sop_class_uid

    if sop_class_uid != CTImageStorage:
        seg.walk(rename)


def _identity(
    label_map: LabelMap, references: SourceReferences, case_code: str, made: datetime
) -> str:
    """What makes this object this one and no other."""
    frame = (*label_map.ijk_to_lps.ravel().tolist(), label_map.frame_of_reference_uid)
    told = (
        labkit.__version__,
        highdicom.__version__,
        case_code,
        made.isoformat(),
        references,
        frame,
        label_map.labels.shape,
        list(label_map.segments.items()),
    )
    digest = hashlib.sha256(repr(told).encode())
    digest.update(label_map.labels.tobytes())
    return digest.hexdigest()


def _uid(what: str, identity: str) -> str:
    """A UID derived from a UUID (PS3.5 B.2), the same for the same text."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'labkit/{what}/{identity}').int}"


def _descriptions(
    label_map: LabelMap, references: SourceReferences, case_code: str
) -> list[SegmentDescription]:
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=_text(segment.name),
            segmented_property_category=_dicom_code(segment.category),
            segmented_property_type=_dicom_code(segment.kind),
            algorithm_type=segment.algorithm,
            algorithm_identification=AlgorithmIdentificationSequence(
                name=_text(segment.algorithm_name),
                family=_FAMILIES[segment.algorithm],
                version=_text(segment.algorithm_version),
            ),
            tracking_id=f"{case_code} {_text(segment.name)}",
            tracking_uid=_uid(
                "segment", f"{case_code}/{references.series_instance_uid}/{value}/{segment.name}"
            ),
            display_color=CIELabColor.from_rgb(*(round(255 * part) for part in segment.rgb)),
        )
        for number, (value, segment) in enumerate(label_map.segments.items(), 1)
    ]


def _text(text: str) -> str:
    """As the VR LO allows it: 64 characters, no backslash, not empty (PS3.5 6.2)."""
    return " ".join(text.replace("\\", "/").split())[:64].strip() or "not stated"


def _dicom_code(code: Code) -> DicomCode:
    return DicomCode(code.value, code.scheme, _text(code.meaning))


def _sources(label_map: LabelMap, references: SourceReferences, case_code: str) -> list[Dataset]:
    """The images of the scan, as far as a SEG repeats them: identity and geometry."""
    planes, rows, columns = label_map.labels.shape
    normal = label_map.direction[:, 2] * label_map.spacing_mm[2]
    sources = []
    for k, uid in enumerate(dict.fromkeys(references.sop_instance_uids)):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, uid  # see `_name_the_class`
        image.StudyInstanceUID = references.study_instance_uid
        image.SeriesInstanceUID = references.series_instance_uid
        image.FrameOfReferenceUID = label_map.frame_of_reference_uid
        image.Modality = references.modality
        image.PatientName, image.PatientID = f"{case_code}^", case_code
        image.PatientIdentityRemoved = "YES"
        image.DeidentificationMethod = "labkit, pseudonym UIDs, patient replaced by case code"
        for name in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
            setattr(image, name, "")
        image.StudyDate = image.StudyTime = image.ReferringPhysicianName = ""
        image.Rows, image.Columns = rows, columns
        image.PixelSpacing = _ds(label_map.spacing_mm[[1, 0]])
        image.SliceThickness = _ds(label_map.spacing_mm[[2]])[0]
        image.ImageOrientationPatient = _ds(label_map.direction[:, :2].T.ravel())
        image.ImagePositionPatient = _ds(label_map.origin_lps_mm + min(k, planes - 1) * normal)
        sources.append(image)
    return sources


def _ds(numbers: npt.NDArray[np.float64]) -> list[str]:
    return [format_number_as_ds(float(number)) for number in numbers]
