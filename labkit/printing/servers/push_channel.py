"""A WebSocket on which a printer's server pushes what happens."""

import re
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import websocket

from labkit.errors import PrinterError
from labkit.printing.servers.messages import Pushed

GREETING_LIMIT_S = 2.0
"""A server that has not begun to push by then is only polled."""

RETRY_S = 2.0

_BROKEN = (
    *(websocket.WebSocketException, OSError, PrinterError),
    *(ValueError, KeyError, TypeError, AttributeError),  # what came was not what was agreed
)


class PushChannel(ABC):
    """A channel that is tried again when it cannot be opened or breaks.

    Parameters
    ----------
    url, ca_file : the server's.
    """

    heartbeat_limit_s: ClassVar[float]
    """A channel that was silent for longer is dead."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        self._url, self._ca_file = url, ca_file
        self._socket: websocket.WebSocket | None = None
        self._retry_at = self._heard_at = 0.0
        self._greeted = False

    @abstractmethod
    def _path(self) -> str:
        """Where on the server the channel is."""

    def _headers(self) -> dict[str, str]:
        """What makes us known when the channel is opened."""
        return {}

    def _first_words(self) -> str:
        """What we say when the channel is open; "" where the server begins."""
        return ""

    @abstractmethod
    def _unpacked(self, frame: str) -> list[Pushed]:
        """What a frame tells."""

    def __enter__(self) -> Self:
        """Returns once the server pushes to us, so that nothing after is missed."""
        give_up = time.monotonic() + GREETING_LIMIT_S
        while not self._greeted and time.monotonic() < give_up:
            self.read(timeout_s=0.2)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def read(self, *, timeout_s: float) -> list[Pushed]:
        """What came, [] if nothing did within ``timeout_s``."""
        if self._socket is None and not self._open():
            time.sleep(timeout_s)
            return []
        assert self._socket is not None
        try:
            self._socket.settimeout(timeout_s)
            frame = str(self._socket.recv())
            self._heard_at = time.monotonic()
            if frame:
                return self._unpacked(frame)
            self._close()
        except websocket.WebSocketTimeoutException:
            if time.monotonic() - self._heard_at > self.heartbeat_limit_s:
                self._close()
        except _BROKEN:
            self._close()
        return []

    def _open(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + RETRY_S
        try:
            self._socket = websocket.create_connection(
                re.sub("^http", "ws", self._url) + self._path(),
                timeout=5,
                header=self._headers(),
                suppress_origin=True,  # an Origin that the server was not told of is refused
                redirect_limit=0,
                http_no_proxy=["*"],
                sslopt={"ca_certs": str(self._ca_file)} if self._ca_file else {},
            )
            if words := self._first_words():
                self._send(words)
        except _BROKEN:
            self._close()
            return False
        self._heard_at = time.monotonic()
        return True

    def _send(self, text: str) -> None:
        assert self._socket is not None
        self._socket.send(text)

    def _close(self) -> None:
        if self._socket is not None:
            with suppress(websocket.WebSocketException, OSError):
                self._socket.close(timeout=1)
            self._socket = None
