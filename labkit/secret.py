"""Keys, passwords and tokens in files of the lab's own folder."""

import os
from pathlib import Path

from labkit.errors import InputError


def secret_in(path: Path, holds: str) -> str:
    """The key, password or token in a file that only its owner can read.

    Parameters
    ----------
    holds : what the file is to hold, in the lab's words: ``the printer's application key``.

    Raises
    ------
    InputError
        No such file, or one that others can read.
    """
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise InputError(
                f"the key file {path.name} can be read by others",
                expected="mode 0600",
                where=str(path),
                fix=f"run `chmod 600 {path}`; if others had access, replace what it holds",
            )
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the key file {path.name} cannot be read",
            expected=f"a file with {holds} and nothing else",
            where=str(path),
            fix="put the file there, with mode 0600",
        ) from error
