"""What every kind of printer does for the kit, and what only some can."""

import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from labkit.printing.servers.messages import (
    Heater,
    Progress,
    Pushed,
    RunningJob,
    Server,
    StoredFile,
)

Ability = Literal[
    "tells a hash",  # of a stored file, so that it can be compared without fetching it
    "tells the position",  # in the file, in bytes
    "tells the temperatures",
    "pushes",  # what happens, without being asked
    "keeps a history",  # of the prints of a file
    "shows a picture",
    "tells firmware settings",
]


class Channel(Protocol):
    """What a server pushes.  Convenience, not the truth: the caller polls besides."""

    def __enter__(self) -> Self:
        """Returns once the server pushes to us, or will not."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the channel."""

    def read(self, *, timeout_s: float) -> list[Pushed]:
        """What came, [] if nothing did within ``timeout_s``.  Never raises."""


class NoChannel:
    """The channel of a kind that pushes nothing."""

    def __enter__(self) -> Self:
        """There is nothing to open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """There is nothing to close."""

    def read(self, *, timeout_s: float) -> list[Pushed]:
        """Nothing, after ``timeout_s``."""
        time.sleep(timeout_s)
        return []


class Printer(Protocol):
    """A printer's server, of whatever kind.  All raise `labkit.errors.PrinterError`."""

    @property
    def product(self) -> str:
        """What the server's software is called."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What this kind can do besides uploading, starting, stopping and being asked.

        What is not in here is not imitated: the record says that it is not known.
        """

    def who(self) -> Server:
        """Who answers; refused when it is too old, or when the key may too much or too little."""

    def upload(self, path: Path, name: str, progress: Progress | None = None) -> bool:
        """Store a file as ``name``; False if one of that name is there, which stays as it is."""

    def file(self, name: str) -> StoredFile | None:
        """What the server knows of a file, or None if it has none of that name."""

    def select(self, name: str) -> None:
        """Load a stored file without starting it, where the kind knows such a step."""

    def start(self, name: str) -> None:
        """Start exactly this file, in one request that is never repeated.

        Raises
        ------
        labkit.errors.PrinterError
            Refused (`labkit.printing.servers.web.was_answered`): it was not started by this
            request.  No answer: it may or may not have been started.
        """

    def job(self) -> RunningJob:
        """What the server does now."""

    def heaters(self) -> tuple[Heater, ...]:
        """Temperatures; empty where the kind or the moment does not tell."""

    def pause(self) -> None:
        """Pause the print that is going on."""

    def resume(self) -> None:
        """Resume the print that is paused."""

    def cancel(self) -> None:
        """Cancel the print that is going on or paused."""

    def channel(self) -> Channel:
        """What the server pushes, to be entered."""

    def picture(self) -> bytes | None:
        """A still of the printer's camera, JPEG or PNG; None where there is none."""

    def firmware_settings(self) -> str | None:
        """The firmware's settings, a line each; None where they are not told."""
