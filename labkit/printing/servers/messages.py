"""What goes to a printer's server and what comes back from it, the same for every kind."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Phase = Literal["ready", "busy", "paused", "offline"]
"""``ready``: a print could be started now.  ``busy`` and ``paused``: one is going on.
``offline``: nothing can be printed, whatever the reason."""

End = Literal["finished", "failed", "cancelled"]
"""How a print ended."""

Progress = Callable[[int, int], None]
"""Takes the bytes sent and the bytes in all."""


@dataclass(frozen=True)
class Server:
    """Who answers: the server's version, the user that the key stands for, what it may do.

    ``note`` is what a person should know of the server before trusting it; empty: nothing.
    """

    version: str
    user: str = ""
    rights: frozenset[str] = frozenset()
    note: str = ""


@dataclass(frozen=True)
class StoredFile:
    """A file on the server: size, a hash if the server tells one, and its history of prints.

    ``sha1`` and ``sha256`` are hexadecimal, or None where the kind tells none.
    ``last_succeeded`` is None where nothing was printed, or where the server does not
    know how the last print ended; that one is counted in ``prints_failed``.
    ``last_told`` is what the server says of the last print.
    """

    size_bytes: int
    sha1: str | None = None
    sha256: str | None = None
    prints_done: int = 0
    prints_failed: int = 0
    last_succeeded: bool | None = None
    last_print_time_s: float | None = None
    last_told: str = ""


@dataclass(frozen=True)
class RunningJob:
    """What the server does now.

    Parameters
    ----------
    state : in the server's own words.
    filepos_bytes : how much of the file has been read, None where the kind does not tell.
    done_share : 0 to 1, None where the kind does not tell.
    remaining_s : as the server estimates it.
    ended : how the last print ended, while the server still shows it; it was the print of
        ``file_name``, and of an unknown file where that is None.
    """

    phase: Phase
    state: str
    file_name: str | None = None
    filepos_bytes: int | None = None
    print_time_s: float | None = None
    error: str = ""
    done_share: float | None = None
    remaining_s: float | None = None
    ended: End | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a print is going on, paused ones included."""
        return self.phase in ("busy", "paused")

    @property
    def is_ready(self) -> bool:
        """Whether a print could be started now."""
        return self.phase == "ready"


@dataclass(frozen=True)
class Heater:
    """A heater: its name on the server, what it has and what it is to have, °C."""

    name: str
    actual_c: float
    target_c: float

    @property
    def is_hotend(self) -> bool:
        """Whether it melts plastic; else it is a bed or a chamber."""
        return self.name.startswith(("tool", "extruder", "nozzle"))

    @property
    def is_off_target(self) -> bool:
        """Whether it is still more than 2 °C from where it shall be."""
        return bool(self.target_c) and abs(self.actual_c - self.target_c) > 2


@dataclass(frozen=True)
class Running:
    """Pushed: what the server does now."""

    job: RunningJob


@dataclass(frozen=True)
class Fault:
    """Pushed: what the printer or its firmware complains of; of no file in particular."""

    told: str


@dataclass(frozen=True)
class Said:
    """Pushed: something worth keeping in the record."""

    told: str


@dataclass(frozen=True)
class Ended:
    """Pushed: how the print of a file ended."""

    file_name: str
    state: End
    told: str = ""
    print_time_s: float | None = None


Pushed = Running | Fault | Said | Ended


class Raw:
    """A file as the body of an upload, read while it is sent; its length is known before."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path, self._progress = path, progress
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        with self._path.open("rb") as stream:
            while piece := stream.read(1 << 18):
                yield piece
                sent += len(piece)
                if self._progress is not None:
                    self._progress(sent, self._size)


class Multipart(Raw):
    """The same with named fields before it, as ``multipart/form-data`` (RFC 7578)."""

    def __init__(
        self, path: Path, name: str, fields: Mapping[str, str], progress: Progress | None
    ) -> None:
        super().__init__(path, progress)
        self.boundary = uuid.uuid4().hex
        before = "".join(
            f"--{self.boundary}\r\n"
            f'Content-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        )
        self._head = (
            f"{before}--{self.boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{self.boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        """For the header of the request."""
        return f"multipart/form-data; boundary={self.boundary}"

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from super().__iter__()
        yield self._tail
