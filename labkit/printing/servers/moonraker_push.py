"""What a Moonraker server tells of Klipper: asked, or pushed as JSON-RPC on a WebSocket.

Sources: https://moonraker.readthedocs.io/en/latest/external_api/jsonrpc_notifications/,
https://www.klipper3d.org/Status_Reference.html, and the behaviour of Moonraker 0.11.0,
which the tests run against.
"""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import websocket

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

HEARTBEAT_LIMIT_S = 20.0
"""The server tells its own load every second; a channel silent for longer is dead."""

GREETING_LIMIT_S = 2.0
"""A server that has not begun to push by then is only polled."""

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


class MoonrakerChannel:
    """The state of the print, and how it ended, as it happens.

    A channel that cannot be opened or breaks is tried again.

    Parameters
    ----------
    key : the server's API key.
    """

    def __init__(self, url: str, key: str, ca_file: Path | None = None) -> None:
        self._url, self._key, self._ca_file = url, key, ca_file
        self._socket: websocket.WebSocket | None = None
        self._retry_at = self._heard_at = 0.0
        self._greeted = False
        self._klipper: dict[str, dict[str, Any]] = {}

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
            frame = self._socket.recv()
            self._heard_at = time.monotonic()
            if not frame:
                self._close()
                return []
            return self._unpacked(json.loads(frame))
        except websocket.WebSocketTimeoutException:
            if time.monotonic() - self._heard_at > HEARTBEAT_LIMIT_S:
                self._close()
        except (websocket.WebSocketException, OSError, ValueError, KeyError, TypeError):
            self._close()
        return []

    def _open(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + 2.0
        try:
            self._socket = websocket.create_connection(
                re.sub("^http", "ws", self._url) + "/websocket",
                timeout=5,
                header={"X-Api-Key": self._key},
                suppress_origin=True,  # an Origin that the server was not told of is refused
                redirect_limit=0,
                http_no_proxy=["*"],
                sslopt={"ca_certs": str(self._ca_file)} if self._ca_file else {},
            )
            self._subscribe()
        except (websocket.WebSocketException, OSError):
            self._close()
            return False
        self._heard_at = time.monotonic()
        return True

    def _close(self) -> None:
        if self._socket is not None:
            with suppress(websocket.WebSocketException, OSError):
                self._socket.close(timeout=1)
            self._socket = None

    def _subscribe(self) -> None:
        assert self._socket is not None
        wanted = {"objects": dict.fromkeys(FOLLOWED)}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "printer.objects.subscribe", "params": wanted}
        self._socket.send(json.dumps(asked))

    def _unpacked(self, message: Mapping[str, Any]) -> list[Pushed]:
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
            self._subscribe()
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
