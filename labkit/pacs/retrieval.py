"""Finding a study, and getting it whole or not at all."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from labkit.errors import InputError, LabkitError, PacsError
from labkit.files import storage_errors
from labkit.pacs.archive import Archive, Level, Progress
from labkit.pacs.query import (
    SERIES_RETURN,
    STUDY_RETURN,
    Query,
    SeriesRow,
    StudyRow,
    series_row,
    study_row,
    text,
    unanswered,
)


@dataclass(frozen=True)
class Fetched:
    """How much arrived: all that the PACS listed."""

    series: int
    instances: int


def find(archive: Archive, query: Query) -> list[StudyRow]:
    """The studies that fit a query, the newest first.

    Raises
    ------
    PacsError
        The PACS failed, or ignored what was asked.
    """
    keys = dict.fromkeys(STUDY_RETURN, "") | dict(query.study)
    rows = [study_row(found) for found in _search(archive, "STUDY", keys)]
    return sorted(rows, key=lambda row: (row.study_date, row.study_instance_uid), reverse=True)


def find_series(archive: Archive, query: Query, study: StudyRow) -> list[SeriesRow]:
    """The series of a study that fit a query, in the order of their numbers.

    Raises
    ------
    PacsError
        The PACS failed, or ignored what was asked.
    """
    uid = study.study_instance_uid
    keys = dict.fromkeys(SERIES_RETURN, "") | dict(query.series) | {"StudyInstanceUID": uid}
    rows = [series_row(found, uid) for found in _search(archive, "SERIES", keys)]
    return sorted(rows, key=lambda row: (row.number or 0, row.series_instance_uid))


def fetch(
    archive: Archive, query: Query, to: Path, progress: Progress = lambda _done, _total: None
) -> Fetched:
    """Every instance that fits a query, as files in the new folder ``to`` (mode 0700).

    The folder is there with all that the PACS listed, or not at all.  The files are
    numbered in the order of arrival and keep the transfer syntax of the PACS.

    Raises
    ------
    InputError
        Nothing fits, more than one study fits, or ``to`` holds something already.
    PacsError
        The PACS failed, or sent less than it listed.
    """
    studies = find(archive, query)
    if len(studies) != 1:
        raise InputError(
            f"{len(studies) or 'no'} studies that fit " + ", ".join(query.study),
            expected="exactly one study: several may be of several patients",
            where=archive.where,
            fix="narrow the query; `labkit pacs find` shows what fits",
        )
    series = find_series(archive, query, studies[0])
    if not series:
        raise InputError(
            "no series that fits " + (", ".join(query.series) or "the study"),
            expected="at least one",
            where=archive.where,
            fix="`labkit pacs find --series` shows what the study holds",
        )
    study_uid = studies[0].study_instance_uid
    expected: dict[str, str] = {}
    classes: dict[str, list[str]] = {}
    for row in series:
        listed = _listed(archive, row)
        expected |= dict.fromkeys(listed, row.series_instance_uid)
        classes[row.series_instance_uid] = sorted(set(listed.values()) - {""})
    with whole_folder(to) as partial:
        inbox = Inbox(partial, study_uid, expected, progress)
        try:
            archive.retrieve(study_uid, classes, inbox.take)
        except PacsError:
            if inbox.failure is None:
                raise
        inbox.require_complete(archive.where)
    return Fetched(len(series), len(expected))


class Inbox:
    """Takes the instances of one study that were listed, and nothing else.

    Parameters
    ----------
    expected : the series' UID of each instance's UID.
    """

    def __init__(
        self, folder: Path, study_uid: str, expected: Mapping[str, str], progress: Progress
    ) -> None:
        self._folder = folder
        self._study_uid = study_uid
        self._expected = expected
        self._progress = progress
        self._taken: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._others = 0
        self.failure: LabkitError | None = None

    def take(self, dataset: Dataset, write: Callable[[Path], None]) -> bool:
        """Keep one instance by ``write``; False if it was not asked for or cannot be kept."""
        uid = text(dataset, "SOPInstanceUID")
        place = (text(dataset, "StudyInstanceUID"), text(dataset, "SeriesInstanceUID"))
        with self._lock:
            if place != (self._study_uid, self._expected.get(uid)):
                self._others += 1
                return False
            path = self._taken.get(uid, self._folder / f"IM{len(self._taken) + 1:05}.dcm")
            try:
                with storage_errors(path):
                    write(path)
            except LabkitError as error:
                self.failure = error
                return False
            self._taken[uid] = path
            self._progress(len(self._taken), len(self._expected))
        return True

    def require_complete(self, where: str) -> None:
        """See that all arrived.

        Raises
        ------
        PacsError
            Less than was listed arrived, or something else did.
        StorageError
            An instance could not be written.
        """
        if self.failure is not None:
            raise self.failure
        if len(self._taken) < len(self._expected) or self._others:
            others = f", and {self._others} that were not asked for" if self._others else ""
            raise PacsError(
                f"{len(self._taken)} of {len(self._expected)} instances arrived{others}",
                expected="every instance that the PACS lists, and no other",
                where=where,
                fix="fetch again; nothing was kept. If it stays so, the study is still "
                "arriving in the PACS, or the PACS cannot send it",
            )


@contextmanager
def whole_folder(to: Path) -> Iterator[Path]:
    """A folder of mode 0700 beside ``to`` that becomes ``to`` on success, else is removed.

    Raises
    ------
    InputError
        ``to`` holds something already.
    """
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise InputError(
            "the folder to fetch into is not empty",
            expected="a new folder, or an empty one",
            where="the folder to fetch into",
            fix="name another folder",
        )
    with storage_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
    try:
        yield partial
        with storage_errors(to):
            if to.exists():
                to.rmdir()
            partial.rename(to)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _search(archive: Archive, level: Level, keys: Mapping[str, str]) -> list[Dataset]:
    found = archive.search(level, keys)
    for one in found:
        if key := unanswered(one, keys):
            raise PacsError(
                f"an answer with another {key} than was asked for",
                expected="answers that fit the query (DICOM PS3.4 C.2.2.2)",
                where=archive.where,
                fix=f"tell the PACS's administrators that it ignores {key}",
            )
    return found


def _listed(archive: Archive, row: SeriesRow) -> dict[str, str]:
    """The SOP class of each instance of a series, as the PACS lists them."""
    keys = {
        "StudyInstanceUID": row.study_instance_uid,
        "SeriesInstanceUID": row.series_instance_uid,
        "SOPInstanceUID": "",
        "SOPClassUID": "",
    }
    found = _search(archive, "IMAGE", keys)
    listed = {text(one, "SOPInstanceUID"): text(one, "SOPClassUID") for one in found}
    if not listed or "" in listed or len(listed) < (row.instances or 0):
        raise PacsError(
            f"the PACS lists {len(listed)} instances of a series of {row.instances}",
            expected="all of them, each with its UID",
            where=archive.where,
            fix="ask again; if it stays so, have the PACS's limit of answers raised",
        )
    return listed
