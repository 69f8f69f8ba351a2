"""The lab's own folder: keys, register, printers; and the pseudonyms it hands out."""

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

import platformdirs

from labkit.errors import StorageError
from labkit.files import storage_errors

SECRET_BYTES = 32


def home_folder() -> Path:
    """The lab's own folder, made on first use, readable by its owner only.

    ``LABKIT_HOME``, else the place where this system keeps a user's data.
    """
    folder = Path(os.environ.get("LABKIT_HOME") or platformdirs.user_data_dir("labkit"))
    with storage_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.absolute()


def pseudonym_uid(uid: str) -> str:
    """A DICOM UID that stands for ``uid`` in this lab and tells nothing of it.

    HMAC-SHA256 of the UID under a secret of the lab, as a ``2.25.`` UID (DICOM
    PS3.5 B.2), so that one scan keeps one name over all sessions.  No UID, no
    pseudonym: two scans without a frame of reference do not share one.
    """
    uid = uid.strip(" \0")
    return f"2.25.{int.from_bytes(_digest(uid)[:16], 'big')}" if uid else ""


def pseudonym(text: str) -> str:
    """Twelve hexadecimal digits that stand for ``text`` in this lab and tell nothing of it."""
    return _digest("text\0" + text).hex()[:12]


def _digest(text: str) -> bytes:
    return hmac.new(_secret(), text.encode(), hashlib.sha256).digest()


def _secret() -> bytes:
    """The secret that every pseudonym hangs on: 32 bytes, the owner's alone.

    It belongs into the lab's backup: with another one every scan gets new names.

    Raises
    ------
    StorageError
        The file cannot be read or written, or does not hold a secret.
    """
    path = home_folder() / "pseudonym.secret"
    with storage_errors(path):
        if not path.exists():
            _make_secret(path)
        secret = path.read_bytes()
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    if len(secret) != SECRET_BYTES:
        raise StorageError(
            f"the secret behind the lab's pseudonyms has {len(secret)} bytes",
            expected=f"{SECRET_BYTES} bytes, as they were when it was made",
            where=path.name,
            fix="put it back from the backup of the lab's folder; deleting it gives every "
            "scan a new pseudonym",
        )
    return secret


def _make_secret(path: Path) -> None:
    """Of two processes that come first, one makes the secret and both use it."""
    handle, name = tempfile.mkstemp(prefix=".secret", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(SECRET_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
