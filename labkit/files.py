"""Files that are there whole or not at all, and their hashes."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import EvidenceError, StorageError


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256 over the sorted SHA-256 of a file, or of every file below a folder.

    The same for any copy of the content, whatever its files are called.
    """
    files = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    return hashlib.sha256("\n".join(sorted(map(sha256_of, files))).encode()).hexdigest()


def hashes_below(folder: Path, *, relative_to: Path) -> dict[str, str]:
    """``{posix path: sha256}`` of every file below ``folder``, in sorted order.

    Raises
    ------
    EvidenceError
        A symbolic link: it would lead the hash to something outside the case.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(relative_to).as_posix()
        if path.is_symlink():
            raise EvidenceError(
                f"a symbolic link, {name}",
                expected="plain files in the folders of a case",
                where=str(relative_to),
                fix="put the file itself there, or remove the link",
            )
        if path.is_file():
            found[name] = sha256_of(path)
    return found


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turn the operating system's refusals into a `StorageError` about ``where``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageError(
                "the disk is full",
                expected=f"room to write {where.name}",
                where=str(where.parent),
                fix="free some space and run again: nothing half-written was kept",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise StorageError(
                f"the place cannot be written ({os.strerror(error.errno)})",
                expected="a folder of yours",
                where=str(where),
                fix="choose another folder, or change its permissions",
            ) from error
        raise


@contextmanager
def written_whole(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """A temporary path beside ``path``; it takes the place of ``path`` only on success.

    Raises
    ------
    StorageError
        The disk is full or the place cannot be written; ``path`` is as it was.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            temporary.chmod(0o644 if mode is None else mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one."""
    with written_whole(path, mode=mode) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def folder_written_whole(to: Path, *, mode: int = 0o700) -> Iterator[Path]:
    """A temporary folder beside ``to``, which must not be there; it becomes it only on success.

    Raises
    ------
    StorageError
        The disk is full or the place cannot be written; nothing is left of it.
    """
    with storage_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".", dir=to.parent))
        try:
            yield temporary
            temporary.chmod(mode)
            temporary.rename(to)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
