"""The files that a lab receives, wherever they lie: a folder, a zip, a single file."""

import os
import threading
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from labkit.errors import ScanError

KEPT_BYTES = 512 * 2**20
"""How much of what was read for its headers is kept for its pixels."""

LARGEST_FILE_BYTES = 8 * 2**30
"""A file beyond this is no scan that the kit can hold."""

BOMB_BYTES, BOMB_RATIO = 512 * 2**20, 100
"""A zip that unpacks to more than both is refused: real scans shrink to a half or a tenth."""

START_BYTES = 512
"""How much of a file is looked at before all of it is read."""

_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}
_READERS = 4


class Kept:
    """Contents of files of one source, up to a budget in bytes, so that each is opened once."""

    def __init__(self, budget: int = KEPT_BYTES) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._contents: dict[int, bytes] = {}

    def keep(self, number: int, content: bytes) -> None:
        """Keep the content of a file unless the budget is spent."""
        with self._lock:
            if len(content) <= self._budget:
                self._budget -= len(content)
                self._contents[number] = content

    def content(self, number: int) -> bytes | None:
        """The content of a file, if it was kept."""
        return self._contents.get(number)

    def release(self, number: int) -> None:
        """Forget the content of a file."""
        with self._lock:
            self._budget += len(self._contents.pop(number, b""))

    def clear(self) -> None:
        """Forget everything."""
        for number in list(self._contents):
            self.release(number)


@dataclass(frozen=True)
class File:
    """One file of a source.  Its name may name the patient: it goes into no message.

    Parameters
    ----------
    path : the file, or the zip that holds it.
    number, total : its place among the files of the source, in the order of their names.
    member : its entry in the zip.
    archive : the open zip.
    kept : what was read of this source before.
    """

    path: Path
    number: int = 1
    total: int = 1
    member: zipfile.ZipInfo | None = None
    archive: zipfile.ZipFile | None = field(default=None, repr=False)
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    @property
    def where(self) -> str:
        """How the lab finds it, without its name."""
        return f"file {self.number} of {self.total} in the order of names"

    @property
    def name(self) -> str:
        """The file's own name; for no message and no record."""
        return PurePosixPath(self.member.filename).name if self.member else self.path.name

    @property
    def is_empty(self) -> bool:
        """Whether it has no bytes at all."""
        return (self.member.file_size if self.member else self.path.stat().st_size) == 0

    def read(self) -> bytes:
        """The whole content, from memory where it was kept.

        Raises
        ------
        ScanError
            It cannot be read.
        """
        kept = self.kept.content(self.number)
        return kept if kept is not None else (self.read_if(lambda _: True) or b"")

    def read_if(self, wanted: Callable[[bytes], bool]) -> bytes | None:
        """The whole content, opened once, if its first bytes are ``wanted``; else None.

        Raises
        ------
        ScanError
            It cannot be read, or it is larger than any scan.
        """
        try:
            with self._open() as stream:
                start = stream.read(START_BYTES)
                if not wanted(start):
                    return None
                size = self.member.file_size if self.member else os.fstat(stream.fileno()).st_size
                if size > LARGEST_FILE_BYTES:
                    raise ScanError(
                        f"a file of {size / 2**30:.0f} GiB",
                        expected=f"files of at most {LARGEST_FILE_BYTES // 2**30} GiB",
                        where=self.where,
                        fix="leave this file out",
                    )
                if len(start) < START_BYTES:
                    return start
                stream.seek(0)  # reading all at once needs no second copy
                return stream.read()
        except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise ScanError(
                f"a file that cannot be read ({type(error).__name__})",
                expected="readable files",
                where=self.where,
                fix="copy the scan again from the PACS or the disc",
            ) from error
        except Exception as error:  # zlib, lzma and bz2 have errors of their own
            if isinstance(error, ScanError) or self.member is None:
                raise
            raise _damaged_zip() from error

    def _open(self) -> IO[bytes]:
        if self.archive is None or self.member is None:
            return self.path.open("rb", buffering=0)
        return self.archive.open(self.member)


def files_of(source: Path | None) -> list[File]:
    """All files of a folder, a zip, or a file by itself, in the order of their names.

    Hidden files and what operating systems leave behind do not count.  A DICOMDIR
    stands for its folder.  Nothing of a zip is written to the disk.

    Raises
    ------
    ScanError
        No source named, none there, or a zip that is damaged, encrypted or unpacks
        to an absurd size.
    """
    if source is None or not source.exists():
        raise ScanError(
            "no source named" if source is None else "nothing of that name",
            expected="a folder of DICOM files, a zip of one, a DICOMDIR or an image file",
            where="the scan's source",
            fix="name it with `--source`",
        )
    if source.is_file() and source.name.upper() == "DICOMDIR":
        source = source.parent
    kept = Kept()
    if source.is_dir():
        paths = sorted(path for path in _below(source) if path.is_file())
        return [File(path, n, len(paths), kept=kept) for n, path in enumerate(paths, 1)]
    if not zipfile.is_zipfile(source):
        return [File(source, kept=kept)]
    archive, members = _members(source)
    return [
        File(source, number, len(members), member, archive, kept)
        for number, member in enumerate(members, 1)
    ]


def each_read(
    files: Iterable[File], read: Callable[[File], bytes | None]
) -> Generator[bytes | None, None, None]:
    """What ``read`` gives for each file, in order, a few files ahead of the one asked for."""
    waiting = iter(files)
    with ThreadPoolExecutor(_READERS) as pool:
        ahead = [pool.submit(read, file) for file in islice(waiting, 2 * _READERS)]
        try:
            while ahead:
                content = ahead.pop(0).result()
                ahead += [pool.submit(read, file) for file in islice(waiting, 1)]
                yield content
                del content
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if not _is_clutter(path.relative_to(folder).parts):
            yield path


def _is_clutter(parts: Iterable[str]) -> bool:
    return any(
        (part.startswith(".") and part.strip(".")) or part.lower() in _CLUTTER for part in parts
    )


def _members(path: Path) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _damaged_zip() from error
    members = [
        member
        for member in sorted(archive.infolist(), key=lambda member: member.filename)
        if not member.is_dir() and not _is_clutter(PurePosixPath(member.filename).parts)
    ]
    if any(member.flag_bits & 1 for member in members):
        raise ScanError(
            "an encrypted zip",
            expected="a zip without a password",
            where="the scan's source",
            fix="unpack it with its password and name the folder",
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * path.stat().st_size:
        raise ScanError(
            f"a zip that unpacks to {unpacked / path.stat().st_size:.0f} times its size",
            expected=f"at most {BOMB_RATIO} times its size",
            where="the scan's source",
            fix="ask who sent it: this is no scan; or unpack it and name the folder",
        )
    return archive, members


def _damaged_zip() -> ScanError:
    return ScanError(
        "a damaged zip",
        expected="a whole zip",
        where="the scan's source",
        fix="copy it again, or ask for it again",
    )
