"""Who in this lab may approve, start, cancel and settle prints: ``people.yaml`` in its folder.

::

    asmith: [approve, start, cancel, settle]   # by login name
    bjones: [start, cancel]

Without the file everybody may whose account can read the printer's key.  It is the
operating system's login that counts, never a name somebody typed.
"""

import getpass
from typing import Literal

from pydantic import RootModel

from labkit.errors import ApprovalError
from labkit.home import home_folder
from labkit.profiles import registered

Act = Literal["approve", "start", "cancel", "settle"]

_FILE = "people.yaml"


class Rights(RootModel[list[Act]]):
    """What one person may do."""


def check_right(act: Act) -> str:
    """The login name of who asks, who may do this.

    Raises
    ------
    ApprovalError
        The file names who may, and this person is not among them.
    InputError
        The file cannot be read.
    """
    login = getpass.getuser()
    people = registered(
        Rights,
        _FILE,
        "person",
        expected="for each login name a list of approve, start, cancel, settle",
        fix="correct it after the example in labkit.printing.people",
    )
    if (home_folder() / _FILE).is_file() and act not in (
        people[login].root if login in people else []
    ):
        able = sorted(name for name, rights in people.items() if act in rights.root)
        raise ApprovalError(
            f"{login} may not {act} prints in this lab",
            expected=", ".join(able) or f"somebody with the right to {act}",
            where=_FILE,
            fix="ask one of them, or have the right entered there by who keeps that file",
        )
    return login
