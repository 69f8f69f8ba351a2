"""What every PACS can do, whichever way leads to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from pydicom.dataset import Dataset

Level = Literal["STUDY", "SERIES", "IMAGE"]

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

UID_OF: Mapping[Level, str] = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


@dataclass(frozen=True)
class Outgoing:
    """A DICOM file to be sent, and what its file meta information says of it."""

    path: Path = field(repr=False)
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size_bytes: int


class Taker(Protocol):
    """Takes what arrives."""

    def __call__(self, dataset: Dataset, write: Callable[[Path], None]) -> bool:
        """Keep one instance by ``write``; False if it is not one that was asked for."""


class Archive(Protocol):
    """A PACS.  Everything it does raises `labkit.errors.PacsError` when it fails."""

    where: str
    """Its address, for messages."""

    def echo(self) -> None:
        """Whether it answers, and lets us in."""

    def search(self, level: Level, keys: Mapping[str, str]) -> list[Dataset]:
        """What fits ``keys`` (empty: to be returned) at a level of the study root model."""

    def retrieve(self, study_uid: str, series: Mapping[str, Sequence[str]], take: Taker) -> None:
        """Hand every instance of the series of a study to ``take``.

        Parameters
        ----------
        series : the series' UIDs, each with the SOP classes in it as far as known.
        """

    def store(self, files: Sequence[Outgoing], progress: Progress) -> int:
        """Send files as they are; every one is stored, or it raises.

        How many the PACS stored with a warning, having changed or left out something.
        """
