"""What goes to an OctoPrint server and what comes back from it."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_BUSY = (
    "Starting",
    "Printing",
    "Paus",  # Pausing, Paused
    "Resuming",
    "Cancelling",
    "Finishing",
    "Sending",
    "Transferring",
)


@dataclass(frozen=True)
class Server:
    """Who answers: the server's version and the user that the key stands for."""

    version: str
    user: str
    rights: frozenset[str]


@dataclass(frozen=True)
class StoredFile:
    """A file on the server: size, SHA-1 if the server tells it, and its history of prints."""

    size_bytes: int
    sha1: str | None
    prints_done: int
    prints_failed: int
    last_succeeded: bool | None
    last_print_time_s: float | None


@dataclass(frozen=True)
class RunningJob:
    """What the server does now: state, file, and byte position in that file."""

    state: str
    file_name: str | None
    filepos_bytes: int | None
    print_time_s: float | None
    error: str

    @classmethod
    def read(cls, told: Mapping[str, Any], state: object) -> Self:
        """From the server's words, of ``/api/job`` or of a push message."""
        file = (told.get("job") or {}).get("file") or {}
        progress = told.get("progress") or {}
        return cls(
            state=str(state),
            file_name=file.get("path"),
            filepos_bytes=progress.get("filepos"),
            print_time_s=progress.get("printTime"),
            error=str(told.get("error") or ""),
        )

    @property
    def is_busy(self) -> bool:
        """Whether a print is going on, paused ones included."""
        return self.state.startswith(_BUSY)

    @property
    def is_ready(self) -> bool:
        """Whether a print could be started now."""
        return self.state == "Operational"


class Multipart:
    """An upload that is read while it is sent; its length is known before."""

    def __init__(self, path: Path, name: str, progress: Callable[[int, int], None] | None) -> None:
        self.boundary = uuid.uuid4().hex
        self._path, self._progress = path, progress
        self._size = path.stat().st_size
        self._head = (
            f"--{self.boundary}\r\n"
            'Content-Disposition: form-data; name="noOverwrite"\r\n\r\ntrue\r\n'
            f"--{self.boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{self.boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        sent = 0
        with self._path.open("rb") as stream:
            while piece := stream.read(1 << 16):
                yield piece
                sent += len(piece)
                if self._progress is not None:
                    self._progress(sent, self._size)
        yield self._tail
