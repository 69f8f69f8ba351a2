"""A study of a PACS in place of a folder: ``pacs:NAME?AccessionNumber=A1&Modality=CT``.

What stands on a command line is seen by everyone on the machine; ``pacs:NAME?@FILE``
names a file with the query instead, and ``pacs:NAME?@-`` reads it from stdin.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import filelock

from labkit.errors import InputError
from labkit.home import home_folder

if TYPE_CHECKING:
    from labkit.pacs.archive import Progress
    from labkit.pacs.query import Query

PREFIX = "pacs:"


def is_pacs(source: str) -> bool:
    """Whether a source names a PACS and not a place on this machine."""
    return source.startswith(PREFIX)


@contextmanager
def fetched(source: str, progress: "Progress" = lambda _done, _total: None) -> Iterator[Path]:
    """The place of a source: for ``pacs:…`` a private folder that is removed afterwards.

    The folder lies in the lab's own, below ``inbox``; what a killed run left there is
    removed by the next.

    Raises
    ------
    InputError
        Not a source, no such PACS, or not exactly one study that fits.
    PacsError
        The PACS failed, or sent less than it listed.
    """
    if not is_pacs(source):
        yield Path(source)
        return
    # only here: each run of a stage comes by, and few ask a PACS
    from labkit.pacs.registry import connect  # noqa: PLC0415
    from labkit.pacs.retrieval import fetch  # noqa: PLC0415

    name, query = _parsed(source)
    archive = connect(name)
    with _private_folder() as folder:
        fetch(archive, query, folder / "study", progress)
        yield folder / "study"


def _parsed(source: str) -> "tuple[str, Query]":
    from labkit.pacs.query import query_from, query_in  # noqa: PLC0415

    name, _, asked = source.removeprefix(PREFIX).partition("?")
    if asked.startswith("@"):
        return name, query_in(asked[1:])
    try:
        words = parse_qsl(asked, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise InputError(
            "a source that begins with pacs: and goes on otherwise than expected",
            expected="pacs:NAME?KEY=VALUE&KEY=VALUE, or pacs:NAME?@FILE",
            where="the scan's source",
            fix="for example pacs:hospital?AccessionNumber=A1&Modality=CT, in quotes",
        ) from None
    return name, query_from(dict(words))


@contextmanager
def _private_folder() -> Iterator[Path]:
    inbox = home_folder() / "inbox"
    inbox.mkdir(mode=0o700, exist_ok=True)
    for left in inbox.glob("*.lock"):
        _remove_abandoned(left)
    folder = Path(tempfile.mkdtemp(dir=inbox))
    lock = folder.with_suffix(".lock")
    with filelock.FileLock(lock):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _remove_abandoned(lock: Path) -> None:
    """Remove a folder whose run no longer lives: a living one holds its lock."""
    try:
        with filelock.FileLock(lock, timeout=0):
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    except filelock.Timeout:
        pass
