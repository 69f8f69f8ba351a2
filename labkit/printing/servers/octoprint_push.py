"""What an OctoPrint server pushes, over SockJS on a WebSocket.

Source: https://docs.octoprint.org/en/master/api/push.html
"""

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import websocket

from labkit.errors import PrinterError
from labkit.printing.servers.messages import Ended, Fault, Phase, Pushed, Running, RunningJob, Said

HEARTBEAT_LIMIT_S = 40.0
"""The server's heart beats every 25 s; a channel silent for longer is dead."""

GREETING_LIMIT_S = 2.0
"""A server that has not begun to push by then is only polled."""

_ENDS = ("PrintDone", "PrintFailed", "PrintCancelled")

_SAID = {
    "PrintStarted": "the server began the print",
    "PrintPaused": "paused",
    "PrintResumed": "resumed",
    "Disconnected": "the server lost its line to the printer",
    "Connected": "the server has its line to the printer",
    "FilamentChange": "the printer asks for another filament",
    "CommandSuppressed": "the server holds back a command of the file",
}

_EVENTS = [*_ENDS, *_SAID, "PrinterReset", "Error"]

_PHASES: dict[str, Phase] = {
    "Operational": "ready",
    "Paus": "paused",  # Pausing, Paused
    "Starting": "busy",
    "Printing": "busy",
    "Resuming": "busy",
    "Cancelling": "busy",
    "Finishing": "busy",
    "Sending": "busy",
    "Transferring": "busy",
}

_SENT, _HEARD = r"(?:Send: |>>> )", r"(?:Recv: |<<< )"
"""How the terminal marks its lines, before OctoPrint 2 and since."""


def running_job(told: Mapping[str, Any], state: object) -> RunningJob:
    """What the server does now, from ``/api/job`` or a push message."""
    file = (told.get("job") or {}).get("file") or {}
    progress = told.get("progress") or {}
    words = str(state)
    size, done = file.get("size"), progress.get("filepos")
    return RunningJob(
        phase=next((_PHASES[word] for word in _PHASES if words.startswith(word)), "offline"),
        state=words,
        file_name=file.get("path"),
        filepos_bytes=done,
        print_time_s=progress.get("printTime"),
        error=str(told.get("error") or ""),
        done_share=done / size if size and done is not None else None,
        remaining_s=progress.get("printTimeLeft"),
    )


def told_settings(terminal: Sequence[str]) -> str:
    """The firmware's settings out of the terminal's lines, "" until the answer is whole."""
    lines = list(terminal)
    asked = next((n for n, line in enumerate(lines) if re.match(rf"{_SENT}.*\bM503\b", line)), None)
    if asked is None:
        return ""
    answers = [line[heard.end() :] for line in lines[asked:] if (heard := re.match(_HEARD, line))]
    whole = next((n for n, line in enumerate(answers) if line.startswith("ok")), None)
    if whole is None:
        return ""
    settings = [re.sub(r"^echo:\s*", "", line).strip() for line in answers[:whole]]
    return "\n".join(line for line in settings if re.match(r"M\d", line))


class OctoPrintChannel:
    """Events of the print and its position, as they happen.

    A channel that cannot be opened or breaks is tried again.

    Parameters
    ----------
    session : makes a session for the push channel, as ``name:secret``.
    terminal : takes the lines between server and firmware, where they are wanted.
    """

    def __init__(
        self,
        url: str,
        session: Callable[[], str],
        ca_file: Path | None = None,
        *,
        terminal: list[str] | None = None,
    ) -> None:
        self._url, self._session, self._ca_file = url, session, ca_file
        self._terminal = terminal
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
        address = re.sub("^http", "ws", self._url)
        try:
            self._socket = websocket.create_connection(
                f"{address}/sockjs/{random.randrange(1000):03d}/{uuid.uuid4().hex}/websocket",
                timeout=5,
                suppress_origin=True,  # behind a TLS proxy an Origin is refused
                redirect_limit=0,
                http_no_proxy=["*"],
                sslopt={"ca_certs": str(self._ca_file)} if self._ca_file else {},
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

    def _unpacked(self, frame: str) -> list[Pushed]:
        found: list[Pushed] = []
        for message in json.loads(frame[1:]):
            for kind, content in message.items():
                if kind in ("connected", "reauthRequired"):
                    self._log_in()
                elif kind == "history":  # the first message to whom it has admitted
                    self._admitted = True
                elif kind == "event":
                    found += _event(str(content["type"]), content.get("payload") or {})
                elif kind == "current":
                    found.append(Running(running_job(content, content["state"]["text"])))
                    if self._terminal is not None:
                        self._terminal += content.get("logs") or []
        return found

    def _log_in(self) -> None:
        """The key buys a session; subscribing first keeps the terminal's lines away."""
        session = self._session()
        logs = self._terminal is not None
        wanted = {"state": {"logs": logs, "messages": False}, "events": _EVENTS, "plugins": []}
        self._send({"subscribe": wanted})
        self._send({"auth": session})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._socket is not None
        self._socket.send(json.dumps([json.dumps(message)]))


def _event(kind: str, payload: Mapping[str, Any]) -> list[Pushed]:
    name, why = str(payload.get("path") or ""), _why(str(payload.get("error") or ""))
    if kind == "Error":
        return [Fault(why)]
    if kind == "PrinterReset":
        return [Fault("the printer's board started anew")]
    if kind in _SAID:
        command = str(payload.get("command") or "") if kind == "CommandSuppressed" else ""
        return [Said(f"{_SAID[kind]}: {command}" if command else _SAID[kind])]
    if kind == "PrintDone":
        return [Ended(name, "finished", print_time_s=payload.get("time"))]
    if kind == "PrintCancelled" or payload.get("reason") == "cancelled":
        return [Ended(name, "cancelled")]
    return [Ended(name, "failed", why)] if kind == "PrintFailed" else []


def _why(told: str) -> str:
    """The server's reason in words, "" where it knows none."""
    told = told.strip().removesuffix(":")
    if told == "unknown":  # so says OctoPrint 2, whose error comes after
        return ""
    if re.match(r"\w+(Exception|Error)\b", told):
        return f"the server lost its line to the printer ({told})"
    return told
