"""What a Moonraker server tells of Klipper: asked, or pushed as JSON-RPC on a WebSocket.

Sources: https://moonraker.readthedocs.io/en/latest/external_api/jsonrpc_notifications/,
https://www.klipper3d.org/Status_Reference.html, and the behaviour of Moonraker 0.11.0,
which the tests run against.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from labkit.printing.servers.messages import (
    End,
    Ended,
    Fault,
    Phase,
    Pushed,
    Running,
    RunningJob,
    Said,
)
from labkit.printing.servers.moonraker_history import ENDS
from labkit.printing.servers.push_channel import PushChannel

FOLLOWED = ("webhooks", "print_stats", "virtual_sdcard")
"""The objects of Klipper that a job is told from."""

_ENDS: dict[str, End] = {"complete": "finished", "cancelled": "cancelled", "error": "failed"}

_PHASES: dict[str, Phase] = {
    "standby": "ready",
    "printing": "busy",
    "paused": "paused",
    **dict.fromkeys(_ENDS, "ready"),
}

_SAID = {
    "notify_klippy_shutdown": "Klipper shut down",
    "notify_klippy_ready": "Klipper is ready",
}


def running_job(klipper: Mapping[str, Any]) -> RunningJob:
    """What the printer does now, from the state of the objects in `FOLLOWED`."""
    webhooks, printing = klipper.get("webhooks") or {}, klipper.get("print_stats") or {}
    card = klipper.get("virtual_sdcard") or {}
    name = str(printing.get("filename") or "") or None
    state, fault = str(printing.get("state") or "unknown"), str(printing.get("message") or "")
    phase = _PHASES.get(state, "offline")
    ended = _ENDS.get(state) if name else None
    if webhooks.get("state") != "ready":
        phase = "offline"
        state = str(webhooks.get("state") or "unknown")
        fault = str(webhooks.get("state_message") or fault)
    size, done = card.get("file_size"), card.get("file_position")
    return RunningJob(
        phase=phase,
        state=state,
        file_name=name,
        filepos_bytes=done if name else None,
        print_time_s=printing.get("print_duration") if name else None,
        error=fault,
        done_share=done / size if name and size and done is not None else None,
        ended=ended,
    )


class MoonrakerChannel(PushChannel):
    """The state of the print, and how it ended, as it happens.

    Parameters
    ----------
    key : the server's API key.
    """

    heartbeat_limit_s: ClassVar[float] = 20.0  # the server tells its own load every second

    def __init__(self, url: str, key: str, ca_file: Path | None = None) -> None:
        super().__init__(url, ca_file)
        self._key = key
        self._klipper: dict[str, dict[str, Any]] = {}

    def _path(self) -> str:
        return "/websocket"

    def _headers(self) -> dict[str, str]:
        return {"X-Api-Key": self._key}

    def _first_words(self) -> str:
        wanted = {"objects": dict.fromkeys(FOLLOWED)}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "printer.objects.subscribe", "params": wanted}
        return json.dumps(asked)

    def _unpacked(self, frame: str) -> list[Pushed]:
        message: dict[str, Any] = json.loads(frame)
        if "id" in message:  # the answer to our subscription, a no too while Klipper is away
            self._greeted = True
            return self._moved((message.get("result") or {}).get("status") or {})
        method, content = message.get("method"), message.get("params") or [{}]
        if method == "notify_status_update":
            return self._moved(content[0])
        if method == "notify_history_changed":
            return self._history(content[0])
        if method == "notify_klippy_disconnected":
            self._klipper = {}
            return [Fault("Klipper's process went away")]
        if method == "notify_klippy_ready":  # it forgot our subscription
            self._send(self._first_words())
        return [Said(_SAID[method])] if method in _SAID else []

    def _moved(self, changed: Mapping[str, Any]) -> list[Pushed]:
        for name, fields in changed.items():
            self._klipper[name] = {**self._klipper.get(name, {}), **fields}
        if not changed:
            return []
        found: list[Pushed] = [Running(running_job(self._klipper))]
        hooks = changed.get("webhooks") or {}
        if hooks.get("state") in ("shutdown", "error"):
            found.append(Fault(str(hooks.get("state_message") or "Klipper shut down")))
        return found

    def _history(self, content: Mapping[str, Any]) -> list[Pushed]:
        job = content.get("job") or {}
        status = str(job.get("status"))
        if content.get("action") != "finished" or status not in ENDS:
            return []
        ended, words = ENDS[status]
        told = running_job(self._klipper).error or words if ended == "failed" else ""
        return [Ended(str(job.get("filename")), ended, told, job.get("print_duration"))]
