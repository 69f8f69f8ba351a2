"""The files that a lab receives, wherever they lie."""

from dataclasses import dataclass
from pathlib import Path

from labkit.errors import ScanError


@dataclass(frozen=True)
class File:
    """One file of a source.  Its name may name the patient: it goes into no message."""

    path: Path

    def read(self) -> bytes:
        """The whole content."""
        return self.path.read_bytes()


def files_of(source: Path | None) -> list[File]:
    """All files below a folder, in a stable order.

    Raises
    ------
    ScanError
        No source named, or no such folder.
    """
    if source is None or not source.is_dir():
        raise ScanError(
            "no source named" if source is None else "a file",
            expected="a folder of DICOM files",
            where="the scan's source",
            fix="name the folder with `--source`",
        )
    return [File(path) for path in sorted(source.rglob("*")) if path.is_file()]
