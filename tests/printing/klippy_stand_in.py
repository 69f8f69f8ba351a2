"""A stand-in for Klipper's API socket, so that a real Moonraker has something to serve.

Not Klipper: it reads a file line by line, takes dwells seriously and moves for nothing.
It does what https://www.klipper3d.org/API_Server.html says of the calls that Moonraker
makes, and fails in the ways that a test asks for.
"""

import json
import os
import re
import socketserver
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PUSH_S = 0.1

State = dict[str, dict[str, Any]]


class RefusedError(Exception):
    """A G-code error: the command is answered with these words."""


class KlippyStandIn:
    """Listens at ``socket`` and prints the files below ``gcodes``.

    Attributes
    ----------
    refuses : what a start is answered with; empty: it is accepted.
    is_stalled : whether requests are left without an answer.
    stands_still : whether a print goes on without moving.
    """

    def __init__(self, socket: Path, gcodes: Path) -> None:
        self._path, self._gcodes = socket, gcodes
        self.refuses = ""
        self.is_stalled = self.stands_still = False
        self._lock = threading.RLock()
        self._clients: list[_Client] = []
        self._printing: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._server: _Server | None = None
        self.state = _fresh(gcodes)

    def start(self) -> None:
        """Begin to listen, as after a start of the firmware."""
        self.state = _fresh(self._gcodes)
        self._path.unlink(missing_ok=True)
        self._server = _Server(str(self._path), _Client)
        self._server.klippy = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def disconnect(self) -> None:
        """Go away, as a process that dies."""
        self._stop_printing()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        self._path.unlink(missing_ok=True)
        for client in list(self._clients):
            client.hang_up()

    def shut_down(self, message: str) -> None:
        """Stop everything, as after a fault of the printer; the process stays."""
        self._stop_printing()
        with self._lock:
            if self.state["print_stats"]["state"] == "printing":
                self.state["print_stats"].update(state="error", message=message)
            self.state["webhooks"].update(state="shutdown", state_message=message)
            self._push("webhooks", "print_stats")

    def run(self, script: str) -> None:
        """What a G-code script does."""
        if self.state["webhooks"]["state"] != "ready":
            raise RefusedError(str(self.state["webhooks"]["state_message"]))
        words = script.split()
        if words[0] == "SDCARD_PRINT_FILE":
            self._begin(re.sub(r'^FILENAME="?|"$', "", words[1]))
        elif words[0] == "PAUSE":
            self._pause(True)
        elif words[0] == "RESUME":
            self._pause(False)
        elif words[0] == "CANCEL_PRINT":
            self._cancelled.set()
            if self._printing is not None:
                self._printing.join()

    def _begin(self, name: str) -> None:
        paused = self.state["pause_resume"]["is_paused"]
        if self._printing is not None and self._printing.is_alive() and not paused:
            raise RefusedError("SD busy")
        if self.refuses:
            raise RefusedError(self.refuses)
        if not (self._gcodes / name).is_file():
            raise RefusedError("Unable to open file")
        self._stop_printing()
        with self._lock:
            fresh = _fresh(self._gcodes)
            self.state.update({part: fresh[part] for part in ("print_stats", "pause_resume")})
            self.state["print_stats"]["filename"] = name
        self._cancelled = threading.Event()
        self._printing = threading.Thread(target=self._print, args=(name,), daemon=True)
        self._printing.start()

    def _stop_printing(self) -> None:
        if self._printing is not None and self._printing.is_alive():
            self._cancelled.silent = True  # type: ignore[attr-defined]
            self._cancelled.set()
            self._printing.join()

    def _print(self, name: str) -> None:
        path, begun, pushed = self._gcodes / name, time.monotonic(), 0.0
        stats, card = self.state["print_stats"], self.state["virtual_sdcard"]
        size = path.stat().st_size
        stats.update(state="printing")
        card.update(file_path=str(path), file_size=size, file_position=0, is_active=True)
        self._push("print_stats", "virtual_sdcard", "pause_resume")
        with path.open("rb") as stream:
            while not self._cancelled.is_set():
                if self.state["pause_resume"]["is_paused"] or self.stands_still:
                    self._cancelled.wait(0.02)
                    begun += 0.02
                    continue
                line = stream.readline()
                if not line:
                    break
                if dwell := re.match(rb"G4 P(\d+)", line):
                    self._cancelled.wait(int(dwell[1]) / 1000)
                if target := re.match(rb"M10[49] S(\d+)", line):
                    self.state["extruder"].update(target=float(target[1]))
                card.update(file_position=stream.tell(), progress=stream.tell() / size)
                elapsed = time.monotonic() - begun
                stats.update(print_duration=elapsed, total_duration=elapsed)
                if time.monotonic() - pushed > PUSH_S:
                    pushed = time.monotonic()
                    self._push("print_stats", "virtual_sdcard", "extruder")
        card.update(is_active=False)
        if getattr(self._cancelled, "silent", False):
            return
        stats["state"] = "cancelled" if self._cancelled.is_set() else "complete"
        self.state["pause_resume"]["is_paused"] = False
        self._push("print_stats", "virtual_sdcard", "pause_resume")

    def _pause(self, paused: bool) -> None:
        with self._lock:
            self.state["pause_resume"]["is_paused"] = paused
            self.state["print_stats"]["state"] = "paused" if paused else "printing"
            self._push("pause_resume", "print_stats")

    def _push(self, *parts: str) -> None:
        for client in list(self._clients):
            client.push({part: dict(self.state[part]) for part in parts})

    def answer(self, client: "_Client", method: str, params: dict[str, Any]) -> object:
        """The result of a call."""
        if method == "info":
            return _INFO | self.state["webhooks"] | {"process_id": os.getpid()}
        if method == "list_endpoints":
            return {"endpoints": _ENDPOINTS}
        if method == "objects/list":
            return {"objects": list(self.state)}
        if method in ("objects/query", "objects/subscribe"):
            asked: dict[str, list[str] | None] = params.get("objects") or {}
            if method == "objects/subscribe":
                client.wanted, client.template = set(asked), params.get("response_template", {})
            known = {
                part: {f: v for f, v in self.state[part].items() if not fields or f in fields}
                for part, fields in asked.items()
                if part in self.state
            }
            return {"eventtime": time.monotonic(), "status": known}
        if method == "gcode/script":
            self.run(params["script"])
        elif method.startswith("pause_resume/"):
            words = {"pause": "PAUSE", "resume": "RESUME", "cancel": "CANCEL_PRINT"}
            self.run(words[method.removeprefix("pause_resume/")])
        return {}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    klippy: KlippyStandIn


class _Client(socketserver.StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.wanted: set[str] = set()
        self.template: dict[str, Any] = {}
        self._sending = threading.Lock()
        self.server.klippy._clients.append(self)

    def finish(self) -> None:
        self.server.klippy._clients.remove(self)
        with suppress(OSError):
            super().finish()

    def hang_up(self) -> None:
        with suppress(OSError):
            self.request.shutdown(2)

    def handle(self) -> None:
        waiting = b""
        with suppress(OSError):
            while received := self.request.recv(1 << 16):
                *messages, waiting = (waiting + received).split(b"\x03")
                for message in messages:
                    if not self.server.klippy.is_stalled:
                        # a script may take its time; others are answered meanwhile
                        call = threading.Thread(target=self._answer, args=(json.loads(message),))
                        call.daemon = True
                        call.start()

    def _answer(self, message: dict[str, Any]) -> None:
        told: dict[str, Any] = {"id": message.get("id")}
        try:
            told["result"] = self.server.klippy.answer(
                self, message["method"], message.get("params") or {}
            )
        except RefusedError as error:
            told["error"] = {"error": "WebRequestError", "message": str(error)}
        if "id" in message:
            self._send(told)

    def push(self, changed: State) -> None:
        status = {part: fields for part, fields in changed.items() if part in self.wanted}
        if status and not self.server.klippy.is_stalled:
            params = {"eventtime": time.monotonic(), "status": status}
            self._send({**self.template, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending, suppress(OSError):
            self.request.sendall(json.dumps(message).encode() + b"\x03")


def _fresh(gcodes: Path) -> State:
    card = {"path": str(gcodes)}
    settings = {
        "virtual_sdcard": card,
        "extruder": {"nozzle_diameter": 0.4, "control": "pid"},
        "gcode_macro end": {"gcode": "G28\nM84"},
    }
    return {
        "webhooks": {"state": "ready", "state_message": "Printer is ready"},
        "print_stats": {
            "filename": "",
            "total_duration": 0.0,
            "print_duration": 0.0,
            "filament_used": 0.0,
            "state": "standby",
            "message": "",
            "info": {"total_layer": None, "current_layer": None},
        },
        "virtual_sdcard": {
            "file_path": None,
            "progress": 0.0,
            "is_active": False,
            "file_position": 0,
            "file_size": 0,
        },
        "pause_resume": {"is_paused": False},
        "display_status": {"progress": 0.0, "message": None},
        "extruder": {"temperature": 25.0, "target": 0.0, "power": 0.0},
        "heater_bed": {"temperature": 24.0, "target": 0.0, "power": 0.0},
        "heaters": {
            "available_heaters": ["heater_bed", "extruder"],
            "available_sensors": ["heater_bed", "extruder"],
        },
        "configfile": {"config": {"virtual_sdcard": card}, "settings": settings},
    }


_INFO = {
    "hostname": "stand-in",
    "klipper_path": "",
    "python_path": "",
    "user_id": 0,
    "group_id": 0,
    "log_file": "",
    "config_file": "",
    "software_version": "stand-in",
    "cpu_info": "",
}

_ENDPOINTS = [
    *("info", "list_endpoints", "emergency_stop", "register_remote_method"),
    *("objects/list", "objects/query", "objects/subscribe"),
    *("gcode/help", "gcode/script", "gcode/restart", "gcode/firmware_restart"),
    *("gcode/subscribe_output", "query_endstops/status"),
    *("pause_resume/pause", "pause_resume/resume", "pause_resume/cancel"),
]
