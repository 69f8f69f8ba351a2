"""DICOM images without the person: what is kept is named, everything else goes.

The table of DICOM PS3.15 (E.1-1, Basic Application Level Confidentiality Profile) comes
from dicom-anonymizer and is applied at every depth.  Beyond it nothing is trusted that
can hold free text: an attribute that the table does not name keeps its text only where
the image cannot be understood without it (`TEXT_KEPT`).
"""

import hashlib
import re
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    UID,
    CTImageStorage,
    EncapsulatedSTLStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from labkit.errors import LabkitError, ScanError
from labkit.files import folder_written_whole
from labkit.home import pseudonym, pseudonym_uid
from labkit.scan.decoding import Decoders
from labkit.scan.privacy.attributes import (
    BYTES_KEPT,
    DICOM_ROOT,
    SEQUENCES_MAPPED,
    STANDARD_SCHEMES,
    TABLE,
    TEXT_KEPT,
    action_on,
)
from labkit.scan.privacy.identifiers import words_naming
from labkit.scan.privacy.pixel_data import (
    clean_pixels,
    clean_stl,
    has_text,
    lies_in_the_patient,
)
from labkit.scan.series import Series
from labkit.scan.sources import File

Progress = Callable[[int, int], None]

_DATE = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
_REMOVED = "REMOVED"
_TEXT = {"LO", "LT", "SH", "ST", "UC", "UT"}
_BYTES = {"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW"}


def deidentify(dataset: Dataset, case_code: str, decoders: Decoders | None = None) -> Dataset:
    """A copy of a DICOM image that names the case and no longer the patient.

    Dates become 1 January 1900 and UIDs this lab's pseudonyms, the same in every
    object and session, so that references stay whole.  Private attributes, overlays,
    icons, free text and the comments inside compressed pixels are not carried over.
    What is drawn into the pixels stays; an image that is no plane of a volume is refused
    when text is seen in it, for a volume `labkit.scan.privacy.privacy_report` tells.

    Raises
    ------
    ScanError
        Not an image, a segmentation or a model; text burnt into it; pixels that cannot be
        decoded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values are common; what is kept is rewritten
        try:
            _refuse_what_cannot_be_cleaned(dataset)
            clean = _cleaned(dataset, words_naming(dataset))
            _name_the_case(clean, case_code)
            clean.preamble = b"\0" * 128
            clean.file_meta = _file_meta(dataset, clean)
            with nullcontext(decoders) if decoders else Decoders() as programs:
                clean_pixels(dataset, clean, programs)
            if not lies_in_the_patient(clean) and has_text(clean):
                raise _text_burnt_in("as it looks")
        except LabkitError:
            raise
        except Exception as error:  # a damaged file can make the parser raise anything
            raise _unreadable() from error
    return clean


def deidentify_files(
    files: Iterable[File], to: Path, case_code: str, progress: Progress | None = None
) -> list[Path]:
    """The files without the patient, as ``<case code>_0001.dcm`` … in the new folder ``to``.

    All of them or, after an error, none.

    Raises
    ------
    ScanError
        A file that is no DICOM image, is damaged, or cannot be cleaned; or ``to`` exists.
    StorageError
        The disk is full or the place cannot be written.
    """
    sources = list(files)
    if to.exists():
        raise ScanError(
            f"a folder {to.name} that is there already",
            expected="a new folder for the images",
            where=case_code,
            fix="move the old one away, or choose another name",
        )
    names = []
    with folder_written_whole(to, mode=0o755) as temporary, Decoders() as decoders:
        for number, file in enumerate(sources, 1):
            names.append(f"{case_code}_{number:04d}.dcm")
            clean = deidentify(_read(file), case_code, decoders)
            _write(clean, temporary / names[-1])
            if progress:
                progress(number, len(sources))
    return [to / name for name in names]


def deidentify_series(
    series: Series, case_code: str, folder: Path, progress: Progress | None = None
) -> list[Path]:
    """The images of a series without the patient, along the stack where its order is known."""
    order = series.geometry.order or range(len(series.images))
    files = dict.fromkeys(series.images[index].file for index in order)
    return deidentify_files(files, folder, case_code, progress)


def _read(file: File) -> Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(BytesIO(file.read()))
    except Exception as error:  # a damaged file can make the parser raise anything
        raise _unreadable() from error


def _write(clean: Dataset, path: Path) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clean.save_as(path, enforce_file_format=True)
    except OSError:
        raise
    except Exception as error:  # values that no writer accepts
        raise _unreadable() from error


def _unreadable() -> ScanError:
    return ScanError(
        "a file that cannot be read as a whole DICOM image",
        expected="whole files, uncompressed or in a compression that can be decoded",
        where="the scan's source",
        fix="export the series again from the PACS, uncompressed or lossless",
    )


def _refuse_what_cannot_be_cleaned(dataset: Dataset) -> None:
    content = _pixels_of(dataset)
    model = dataset.get("SOPClassUID") == EncapsulatedSTLStorage
    if not content or (content == "EncapsulatedDocument" and not model):
        raise ScanError(
            "a DICOM object that is no image (a report, a document, a plan)",
            expected="images, segmentations and STL models: nothing else can be cleaned for sure",
            where="the scan's source",
            fix="leave such objects out of what is kept or passed on",
        )
    if dataset.get("BurnedInAnnotation") == "YES":
        raise _text_burnt_in("by its own header")


def _text_burnt_in(why: str) -> ScanError:
    return ScanError(
        f"an image with text burnt into its pixels, {why}",
        expected="images without it: no rule over tags removes what is drawn",
        where="the scan's source",
        fix="choose the series as it was reconstructed, not screenshots of it",
    )


def _pixels_of(dataset: Dataset) -> str:
    names = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "EncapsulatedDocument")
    return next((name for name in names if name in dataset), "")


def _cleaned(dataset: Dataset, naming: re.Pattern[str] | None) -> Dataset:
    clean = Dataset()
    for tag in list(dataset.keys()):
        if tag.is_private or tag.element == 0 or tag.group >> 8 in (0x50, 0x60, 0xFF):
            continue
        try:
            element = dataset[tag]
        except Exception:
            continue
        kept = _element(element, naming)
        if kept is not None:
            clean.add(kept)
    if clean.get("CodingSchemeDesignator", "DCM") not in STANDARD_SCHEMES:
        _hide_local_code(clean)
    return clean


def _element(element: DataElement, naming: re.Pattern[str] | None) -> DataElement | None:
    """The element as it may be kept, or None."""
    name = keyword_for_tag(element.tag)
    action = action_on(element.tag)
    if name == "EncapsulatedDocument":
        return _with(element, clean_stl(element.value))
    if element.VR == "SQ":
        return _sequence(element, name, action, naming)
    if action == "remove" or not name:
        return None
    if element.VR == "UI":
        values = element.value if isinstance(element.value, MultiValue) else [element.value]
        mapped = [_mapped(str(uid)) for uid in values if uid]
        return _with(element, mapped if len(mapped) > 1 else "".join(mapped))
    if element.VR in _DATE:
        empty = not element.value or (action == "empty" and name == "PatientBirthDate")
        return _with(element, "" if empty else _DATE[element.VR])
    if element.VR in _BYTES:
        return element if name in BYTES_KEPT else None
    if element.VR in ("UN", "UR", "AE"):
        return None
    if action == "empty" or element.VR == "PN":
        return _with(element, "")
    if element.VR not in _TEXT:
        return _with(element, _REMOVED) if action == "dummy" and element.VR == "CS" else element
    if action == "dummy":
        return _with(element, _REMOVED)
    text = str(element.value)
    if name not in TEXT_KEPT or not text:
        return _with(element, "")
    return _with(element, _REMOVED) if naming and naming.search(text.casefold()) else element


def _sequence(
    element: DataElement, name: str, action: str, naming: re.Pattern[str] | None
) -> DataElement | None:
    if name == "AcquisitionContextSequence":
        return _with(element, [])
    if action != "keep" and name not in SEQUENCES_MAPPED:
        return None
    return _with(element, [_cleaned(item, naming) for item in element.value])


def _with(element: DataElement, value: object) -> DataElement:
    return DataElement(element.tag, element.VR, value)


def _mapped(uid: str) -> str:
    return uid if uid.startswith(DICOM_ROOT) else pseudonym_uid(uid)


def _hide_local_code(code: Dataset) -> None:
    """Codes that a hospital made itself name the hospital."""
    for name in ("CodeValue", "LongCodeValue"):
        if name in code:
            setattr(code, name, pseudonym(str(code.CodingSchemeDesignator) + code[name].value))
    code.CodingSchemeDesignator = "99LOCAL"
    if "CodeMeaning" in code:
        code.CodeMeaning = "local code"


def _name_the_case(clean: Dataset, case_code: str) -> None:
    clean.PatientName = f"{case_code}^"
    clean.PatientID = case_code
    clean.PatientIdentityRemoved = "YES"
    clean.LongitudinalTemporalInformationModified = "REMOVED"
    clean.DeidentificationMethod = f"labkit, PS3.15 Table E.1-1 {TABLE}, free text removed"
    method = Dataset()
    method.CodeValue = "113100"
    method.CodingSchemeDesignator = "DCM"
    method.CodeMeaning = "Basic Application Confidentiality Profile"
    clean.DeidentificationMethodCodeSequence = [method]


def _file_meta(dataset: Dataset, clean: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    old = getattr(dataset, "file_meta", FileMetaDataset())
    meta.TransferSyntaxUID = UID(old.get("TransferSyntaxUID", ExplicitVRLittleEndian))
    if not clean.get("SOPClassUID"):
        usual = {"CT": CTImageStorage, "MR": MRImageStorage}.get(clean.get("Modality"), "")
        clean.SOPClassUID = old.get("MediaStorageSOPClassUID") or usual
    if not clean.get("SOPInstanceUID"):
        content = hashlib.sha256(dataset[_pixels_of(dataset)].value).hexdigest()
        clean.SOPInstanceUID = pseudonym_uid(content)
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    return meta
