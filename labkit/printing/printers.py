"""The printers of the lab: ``printers.yaml`` in its own folder, and the practice printer.

::

    bench-1:
      url: https://bench-1.lab.example/octoprint
      key_file: keys/bench-1        # readable by its owner only; beside printers.yaml
      ca_file: keys/lab-ca.pem      # only for a certificate of the lab's own
      kind: octoprint               # or moonraker, prusalink; left out: octoprint
      profile: MK3S                 # of the equipment; left out: the one of the printer's name
      old_server_accepted: A. Smith, until the update in May    # OctoPrint before 1.11.8
      snapshot_url: http://cam-1.lab.example/still.jpg          # the camera, as seen from here
      user: maker                   # of PrusaLink; "" where the key is an API key
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Literal, Self

import yaml
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, model_validator

from labkit.errors import InputError
from labkit.files import storage_errors, write_whole
from labkit.home import home_folder
from labkit.printing.servers.kind import Printer
from labkit.printing.servers.practice import practice_number, practice_printer
from labkit.profiles import registered
from labkit.secret import secret_in

PRACTICE = "practice"
TABLE = "printers.yaml"

Kind = Literal["octoprint", "moonraker", "prusalink"]
_CLIENTS: dict[Kind, str] = {
    "octoprint": "OctoPrint",
    "moonraker": "Moonraker",
    "prusalink": "PrusaLink",
}
_OPTIONS: dict[str, tuple[Kind, ...]] = {
    "old_server_accepted": ("octoprint",),
    "snapshot_url": ("octoprint", "moonraker"),
    "user": ("prusalink",),
}
"""Which fields are for which kinds only."""


class RegisteredPrinter(BaseModel):
    """Where a printer's server is and where its key lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    key_file: Path
    ca_file: Path | None = None
    kind: Kind = "octoprint"
    profile: str = ""
    old_server_accepted: str = ""
    snapshot_url: str = ""
    user: str = "maker"

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for name, kinds in _OPTIONS.items():
            default = type(self).model_fields[name].default
            if self.kind not in kinds and getattr(self, name) != default:
                raise ValueError(f"{name} is not for {self.kind}")
        return self

    @property
    def options(self) -> dict[str, str]:
        """What the client of this kind takes besides address, key and certificate."""
        return {name: getattr(self, name) for name, kinds in _OPTIONS.items() if self.kind in kinds}


def registered_printers() -> dict[str, RegisteredPrinter]:
    """The real printers of this lab by name; none if there is no ``printers.yaml``.

    Raises
    ------
    InputError
        The file cannot be read, or an entry is not one.
    """
    return registered(
        RegisteredPrinter,
        TABLE,
        "printer",
        expected="for each printer its url, key_file and, if need be, ca_file, kind and profile",
        fix="correct it after the example in labkit.printing.printers",
    )


def profile_of(name: str) -> str:
    """The equipment profile of a printer: the one it is registered with, else its own name."""
    told = registered_printers().get(name)
    return (told.profile or name) if told is not None else name


@contextmanager
def connect(name: str) -> Iterator[tuple[Printer, bool]]:
    """A printer by its name, and whether it is a practice printer.

    ``practice``, ``practice-2`` and so on start that practice printer if it does not
    run; see `practice_printer` for when it is stopped.

    Raises
    ------
    InputError
        No printer of that name, no key, or a key that others can read.
    """
    if number := practice_number(name):
        with practice_printer(number=number) as practice:
            yield practice, True
        return
    printers = registered_printers()
    if name not in printers:
        raise InputError(
            f"no printer {name!r}",
            expected="one of " + ", ".join([PRACTICE, *sorted(printers)]),
            where=str(home_folder() / TABLE),
            fix="correct the name, or enter the printer: `labkit printers add`",
        )
    told = printers[name]
    key = secret_in(home_folder() / told.key_file, "the printer's application key")
    yield client_of(told, key), False


def client_of(told: RegisteredPrinter, key: str) -> Printer:
    """The client for a printer's kind of server; nothing is asked yet.

    Raises
    ------
    InputError
        The address, the key or the certificate cannot be one.
    """
    client = getattr(import_module(f"labkit.printing.servers.{told.kind}"), _CLIENTS[told.kind])
    ca_file = home_folder() / told.ca_file if told.ca_file else None
    printer: Printer = client(told.url, key, ca_file=ca_file, **told.options)
    return printer


def check_new(name: str, told: RegisteredPrinter) -> str:
    """``printers.yaml`` as it will be with one printer more; what stands there stays as it is.

    Raises
    ------
    InputError
        The name cannot be one or is taken, the key file is another printer's, or the
        table is laid out so that nothing can be added at its end.
    """
    path, printers = home_folder() / TABLE, registered_printers()
    trouble = ""
    if practice_number(name):
        trouble = f"the name {name!r}, which is a practice printer's"
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", name):
        trouble = f"the name {name!r}"
    elif name in printers:
        trouble = f"a printer {name!r} already"
    elif any(told.key_file == other.key_file for other in printers.values()):
        trouble = f"another printer with the key file {told.key_file}"
    if trouble:
        raise InputError(
            trouble,
            expected="a name of up to 32 letters, digits, . _ and - that no other printer has",
            where=str(path),
            fix="give another name, or take the old entry out of the file",
        )
    entry = told.model_dump(mode="json", exclude_defaults=True)
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    gap = "" if before.endswith("\n") or not before else "\n"
    after = before + gap + yaml.safe_dump({name: entry}, sort_keys=False, allow_unicode=True)
    try:
        is_whole = yaml.safe_load(after) == {**(yaml.safe_load(before) or {}), name: entry}
    except yaml.YAMLError:
        is_whole = False
    if not is_whole:
        raise InputError(
            f"{TABLE} is laid out so that no printer can be added at its end",
            expected="each printer's name at the beginning of a line, as in the example",
            where=str(path),
            fix="lay it out so, or enter the printer by hand",
        )
    return after


def enter(name: str, told: RegisteredPrinter, key: str) -> None:
    """Enter a printer and its key: both, or neither.

    Raises
    ------
    InputError
        As `check_new`.
    StorageError
        The lab's folder cannot be written.
    """
    home = home_folder()
    with FileLock(home / f"{TABLE}.lock"):
        table = check_new(name, told)
        with storage_errors(home / told.key_file):
            (home / told.key_file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(home / told.key_file, key + "\n", mode=0o600)
        try:
            path = home / TABLE
            write_whole(path, table, mode=path.stat().st_mode & 0o777 if path.is_file() else None)
        except BaseException:
            (home / told.key_file).unlink(missing_ok=True)
            raise
