"""The printers of the lab: ``printers.yaml`` in its own folder, and the practice printer.

::

    bench-1:
      url: https://bench-1.lab.example/octoprint
      key_file: keys/bench-1        # readable by its owner only; beside printers.yaml
      ca_file: keys/lab-ca.pem      # only for a certificate of the lab's own
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from labkit.errors import InputError
from labkit.home import home_folder
from labkit.printing.kind import Printer
from labkit.printing.octoprint import OctoPrint
from labkit.printing.practice import practice_number, practice_printer
from labkit.profiles import registered
from labkit.secret import secret_in

PRACTICE = "practice"


class RegisteredPrinter(BaseModel):
    """Where a printer's server is and where its key lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    key_file: Path
    ca_file: Path | None = None
    profile: str = ""


def registered_printers() -> dict[str, RegisteredPrinter]:
    """The real printers of this lab by name; none if there is no ``printers.yaml``.

    Raises
    ------
    InputError
        The file cannot be read, or an entry is not one.
    """
    return registered(
        RegisteredPrinter,
        "printers.yaml",
        "printer",
        expected="for each printer its url, key_file and, if need be, ca_file",
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
            where=str(home_folder() / "printers.yaml"),
            fix="correct the name, or enter the printer in printers.yaml",
        )
    told = printers[name]
    ca_file = home_folder() / told.ca_file if told.ca_file else None
    key = secret_in(home_folder() / told.key_file, "the printer's application key")
    yield OctoPrint(told.url, key, ca_file=ca_file), False
