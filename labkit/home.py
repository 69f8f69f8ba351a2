"""The lab's own folder: keys, register, printers."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import platformdirs

from labkit.files import storage_errors, write_whole


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
    PS3.5 B.2), so that one scan keeps one name over all sessions.
    """
    path = home_folder() / "pseudonym.secret"
    if not path.exists():
        write_whole(path, secrets.token_bytes(32), mode=0o600)
    digest = hmac.new(path.read_bytes(), uid.encode(), hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
