"""Files of a lab into a PACS: looked through before anything is sent."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, MediaStorageDirectoryStorage

from labkit.errors import InputError
from labkit.pacs.archive import Archive, Outgoing, Progress
from labkit.pacs.query import text

_LOOKED_AT = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientIdentityRemoved",
    "SOPClassUID",
    "SOPInstanceUID",
)


@dataclass(frozen=True)
class Shipment:
    """What is about to be sent, in numbers: nothing in it names the patient."""

    files: tuple[Outgoing, ...]
    kinds: dict[str, int]
    patients: int
    studies: int
    series: int
    deidentified: int
    left_out: int

    def words(self) -> str:
        """One sentence for the person who sends it."""
        kinds = ", ".join(f"{count} × {kind}" for kind, count in sorted(self.kinds.items()))
        out = f"; {self.left_out} files that are not DICOM are left out" if self.left_out else ""
        return (
            f"{len(self.files)} instances ({kinds}) of {self.patients} patient(s), "
            f"{self.studies} study(ies), {self.series} series, "
            f"{self.deidentified} de-identified{out}"
        )


def shipment_of(places: Iterable[Path]) -> Shipment:
    """The DICOM files in folders, and those named one by one.

    Raises
    ------
    InputError
        A file that is named is not DICOM, or there is none at all.
    """
    files: list[Outgoing] = []
    kinds: Counter[str] = Counter()
    seen: dict[str, set[str]] = {name: set() for name in _LOOKED_AT[:3]}
    deidentified = left_out = 0
    for path, named in _paths(places):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_LOOKED_AT))
            one = Outgoing(
                path,
                str(header.file_meta.MediaStorageSOPClassUID),
                str(header.file_meta.MediaStorageSOPInstanceUID),
                str(header.file_meta.TransferSyntaxUID),
                path.stat().st_size,
            )
            whole = one.sop_instance_uid == text(header, "SOPInstanceUID")
        except (InvalidDicomError, AttributeError, OSError, ValueError):
            whole = False
        if not whole or one.sop_class_uid == MediaStorageDirectoryStorage:
            if named:
                raise InputError(
                    "a file that is no DICOM file with its own meta information",
                    expected="DICOM files (PS3.10)",
                    where="the files to send",
                    fix="name a folder, or DICOM files only",
                )
            left_out += 1
            continue
        files.append(one)
        kinds[UID(one.sop_class_uid).name] += 1
        deidentified += text(header, "PatientIdentityRemoved") == "YES"
        for name, values in seen.items():
            values.add(text(header, name))
    if not files:
        raise InputError(
            "no DICOM file",
            expected="at least one",
            where="the files to send",
            fix="name DICOM files, or a folder with some",
        )
    patients, studies, series = (len(values) for values in seen.values())
    return Shipment(tuple(files), dict(kinds), patients, studies, series, deidentified, left_out)


def send(
    archive: Archive,
    shipment: Shipment,
    *,
    deidentified: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> int:
    """Store every file of a shipment in a PACS; how many it changed, by its own account.

    Parameters
    ----------
    deidentified : this PACS is one for de-identified images.  Each PACS takes either
        kind, so that a pseudonym is never filed beside the patients, nor a patient
        among pseudonyms.

    Raises
    ------
    InputError
        Files of the other kind.
    PacsError
        The PACS failed, or did not store all of them.
    """
    wrong = len(shipment.files) - shipment.deidentified if deidentified else shipment.deidentified
    if wrong:
        raise InputError(
            f"{wrong} of {len(shipment.files)} files are "
            + ("not de-identified" if deidentified else "de-identified"),
            expected="only de-identified files, as --deidentified says"
            if deidentified
            else "files of a patient, for a clinical PACS",
            where="the files to send",
            fix="leave these files out"
            + ("" if deidentified else ", or send to a teaching PACS with --deidentified"),
        )
    return archive.store(shipment.files, progress)


def _paths(places: Iterable[Path]) -> Sequence[tuple[Path, bool]]:
    found = []
    for place in places:
        if place.is_dir():
            found += [(path, False) for path in sorted(place.rglob("*")) if path.is_file()]
        else:
            found.append((place, True))
    return found
