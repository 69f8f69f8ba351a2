"""What an OctoPrint server pushes, over SockJS on a WebSocket.

Source: https://docs.octoprint.org/en/master/api/push.html
"""

import json
import random
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from labkit.printing.servers.messages import Ended, Fault, Phase, Pushed, Running, RunningJob, Said
from labkit.printing.servers.push_channel import PushChannel

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


class OctoPrintChannel(PushChannel):
    """Events of the print and its position, as they happen.

    Parameters
    ----------
    session : makes a session for the push channel, as ``name:secret``.
    terminal : takes the lines between server and firmware, where they are wanted.
    """

    heartbeat_limit_s: ClassVar[float] = 40.0  # the server's heart beats every 25 s

    def __init__(
        self,
        url: str,
        session: Callable[[], str],
        ca_file: Path | None = None,
        *,
        terminal: list[str] | None = None,
    ) -> None:
        super().__init__(url, ca_file)
        self._session, self._terminal = session, terminal

    def _path(self) -> str:
        return f"/sockjs/{random.randrange(1000):03d}/{uuid.uuid4().hex}/websocket"

    def _unpacked(self, frame: str) -> list[Pushed]:
        # "a" carries messages, "h" is a heartbeat, "o" opens; anything else closes
        if frame[0] not in "aho":
            self._close()
        if frame[0] != "a":
            return []
        found: list[Pushed] = []
        for message in json.loads(frame[1:]):
            for kind, content in message.items():
                if kind in ("connected", "reauthRequired"):
                    self._log_in()
                elif kind == "history":  # the first message to whom it has admitted
                    self._greeted = True
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
        for message in ({"subscribe": wanted}, {"auth": session}):
            self._send(json.dumps([json.dumps(message)]))


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
