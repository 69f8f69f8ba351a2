"""What an OctoPrint server pushes, over SockJS on a WebSocket.

Source: https://docs.octoprint.org/en/master/api/push.html
"""

import json
import random
import re
import time
import uuid
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import websocket

from labkit.errors import PrinterError
from labkit.printing.messages import RunningJob
from labkit.printing.octoprint import OctoPrint

HEARTBEAT_LIMIT_S = 40.0
"""The server's heart beats every 25 s; a channel silent for longer is dead."""

GREETING_LIMIT_S = 2.0
"""A server that has not begun to push by then is only polled."""

_EVENTS = ["PrintStarted", "PrintDone", "PrintFailed", "PrintCancelled", "PrintPaused", "Error"]


class Events:
    """What the server pushes: events of the print and its position, as they happen.

    Convenience, not the truth: a channel that cannot be opened or breaks is tried
    again, and the caller polls besides.
    """

    def __init__(self, printer: OctoPrint) -> None:
        self._printer = printer
        self._socket: websocket.WebSocket | None = None
        self._retry_at = self._heard_at = 0.0
        self._admitted = False

    def __enter__(self) -> Self:
        """Returns once the server pushes to us, so that nothing after is missed."""
        give_up = time.monotonic() + GREETING_LIMIT_S
        while not self._admitted and time.monotonic() < give_up:
            self.read(timeout_s=0.2)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def read(self, *, timeout_s: float) -> list[tuple[str, dict[str, Any]]]:
        """The next events as (type, payload), [] if none came within ``timeout_s``.

        The type ``current`` is the running state; its payload holds
        ``RunningJob`` under ``job``.
        """
        if self._socket is None and not self._open():
            time.sleep(timeout_s)
            return []
        assert self._socket is not None
        try:
            self._socket.settimeout(timeout_s)
            frame = str(self._socket.recv())
            self._heard_at = time.monotonic()
            # "a" carries messages, "h" is a heartbeat, "o" opens; anything else closes
            if not frame or frame[0] not in "aho":
                self._close()
            return self._unpacked(frame) if frame.startswith("a") else []
        except websocket.WebSocketTimeoutException:
            if time.monotonic() - self._heard_at > HEARTBEAT_LIMIT_S:
                self._close()
        except (websocket.WebSocketException, OSError, ValueError, KeyError, PrinterError):
            self._close()
        return []

    def _open(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + 2.0
        address = re.sub("^http", "ws", self._printer.url)
        ca_file = self._printer.ca_file
        try:
            self._socket = websocket.create_connection(
                f"{address}/sockjs/{random.randrange(1000):03d}/{uuid.uuid4().hex}/websocket",
                timeout=5,
                suppress_origin=True,  # behind a TLS proxy an Origin is refused
                redirect_limit=0,
                http_no_proxy=["*"],
                sslopt={"ca_certs": str(ca_file)} if ca_file else {},
            )
        except (websocket.WebSocketException, OSError):
            return False
        self._heard_at = time.monotonic()
        return True

    def _close(self) -> None:
        if self._socket is not None:
            with suppress(websocket.WebSocketException, OSError):
                self._socket.close(timeout=1)
            self._socket = None

    def _unpacked(self, frame: str) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        for message in json.loads(frame[1:]):
            for kind, content in message.items():
                if kind in ("connected", "reauthRequired"):
                    self._log_in()
                elif kind == "history":  # the first message to whom it has admitted
                    self._admitted = True
                elif kind == "event":
                    found.append((str(content["type"]), content.get("payload") or {}))
                elif kind == "current":
                    job = RunningJob.read(content, content["state"]["text"])
                    found.append(("current", {"job": job}))
        return found

    def _log_in(self) -> None:
        """The key buys a session; subscribing first keeps the terminal's lines away."""
        session = self._printer.session()
        wanted = {"state": {"logs": False, "messages": False}, "events": _EVENTS, "plugins": []}
        self._send({"subscribe": wanted})
        self._send({"auth": session})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._socket is not None
        self._socket.send(json.dumps([json.dumps(message)]))
