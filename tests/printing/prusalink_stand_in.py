"""A stand-in for a printer with PrusaLink, after its ``spec/openapi.yaml`` (API v1).

Digest authentication (RFC 7616, MD5) is done for real.  A print takes as long as the
dwells of its file.  Like the firmware, it shows a job only while it goes on, and how it
ended until somebody clears the bed.  Faults are what a test sets.
"""

import hashlib
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import parse_http_list, parse_keqv_list

REALM = "Printer API"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


class PrusaLinkStandIn(ThreadingHTTPServer):
    """A printer at ``url``.

    Attributes
    ----------
    nonce_uses : how many requests a nonce is good for, then it is stale.
    bodies : the bytes of each upload's body that arrived, accepted or not.
    refuses_start, loses_start : a start is refused; or is carried out without an answer.
    attention, is_busy : states that the display may bring besides.
    has_camera, has_storage : what is plugged in.
    is_dead : nothing is answered any more.
    """

    daemon_threads = True

    def __init__(self, password: str, *, prefix: str = "", certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.user, self.password, self.prefix = "maker", password, prefix
        self.url = f"http://127.0.0.1:{self.server_port}{prefix}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.url = f"https://localhost:{self.server_port}{prefix}"
        self.lock = threading.RLock()
        self.files: dict[str, bytes] = {}
        self.nonces: dict[str, int] = {}
        self.nonce_uses = 10_000
        self.bodies: list[int] = []
        self.asked: list[str] = []
        self.refuses_start = self.loses_start = False
        self.attention = self.is_busy = False
        self.has_camera = self.has_storage = True
        self.is_dead = False
        self.picture = PNG
        self._state, self._name, self._id = "IDLE", "", 0
        self._length_s = self._done_s = self._seen_at = 0.0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is not an error here."""

    def begin(self, name: str) -> None:
        dwells = re.findall(rb"^G4 P(\d+)", self.files[name], re.MULTILINE)
        self._length_s = 0.2 + sum(map(int, dwells)) / 1000
        self._done_s, self._seen_at = 0.0, time.monotonic()
        self._state, self._name, self._id = "PRINTING", name, self._id + 1

    def clear_bed(self) -> None:
        """Somebody takes the print off and confirms it at the display."""
        self._state = "IDLE"

    def break_down(self) -> None:
        """A fault in the middle of a print."""
        self._state = "ERROR"

    def act(self, to: str) -> None:
        self.state()
        self._state = to

    def state(self) -> str:
        now = time.monotonic()
        if self._state == "PRINTING" and not (self.attention or self.is_busy):
            self._done_s += now - self._seen_at
            if self._done_s >= self._length_s:
                self._state = "FINISHED"
        self._seen_at = now
        if self.attention or self.is_busy:
            return "ATTENTION" if self.attention else "BUSY"
        return self._state

    def job(self) -> dict[str, Any] | None:
        """The job as ``/api/v1/job`` shows it, None where it shows none."""
        if self.state() not in ("PRINTING", "PAUSED", "ATTENTION") or not self._in_print:
            return None
        return {
            "id": self._id,
            "state": "PAUSED" if self.attention else self._state,
            "progress": round(100 * self._done_s / self._length_s, 2),
            "time_remaining": int(self._length_s - self._done_s),
            "time_printing": int(self._done_s),
            "file": file_info(self._name, self.files[self._name]) | {"path": "/usb"},
        }

    @property
    def _in_print(self) -> bool:
        return self._state in ("PRINTING", "PAUSED")

    @property
    def can_start(self) -> bool:
        """As in the firmware, also while the last print lies on the bed."""
        return self.state() in ("IDLE", "READY", "FINISHED", "STOPPED") and not self.refuses_start


def file_info(name: str, content: bytes) -> dict[str, Any]:
    return {
        "name": f"{name[:6].upper()}~1.GCO",
        "display_name": name,
        "size": len(content),
        "type": "PRINT_FILE",
        "read_only": False,
        "m_timestamp": 1_700_000_000,
    }


class _Handler(BaseHTTPRequestHandler):
    server: PrusaLinkStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        pass

    def _serve(self) -> None:
        server = self.server
        if server.is_dead:
            self.close_connection = True
            return None
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "PUT" and "/files/" in self.path:
            server.bodies.append(len(body))
        server.asked.append(f"{self.command} {self.path}")
        if not self.path.startswith(f"{server.prefix}/api/"):
            return self._no(404, "Not Found")
        if (stale := self._unknown()) is not None:
            return self._challenge(stale=stale)
        with server.lock:
            return self._answer(self.path.removeprefix(server.prefix), body)

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _answer(self, path: str, body: bytes) -> None:
        server = self.server
        if path == "/api/version":
            known = {"api": "2.0.0", "server": "2.1.2", "text": "PrusaLink"}
            return self._yes(200, {**known, "capabilities": {"upload-by-put": True}})
        if path == "/api/v1/storage":
            card = {"path": "/sdcard", "type": "SDCARD", "available": True, "read_only": True}
            drive = {"path": "/usb/", "type": "USB", "read_only": False}
            return self._yes(
                200, {"storage_list": [card, {**drive, "available": server.has_storage}]}
            )
        if path == "/api/v1/status":
            job = server.job()
            told: dict[str, Any] = {
                "printer": {
                    "state": server.state(),
                    "temp_nozzle": 214.9,
                    "target_nozzle": 215.0,
                    "temp_bed": 59.5,
                    "target_bed": 60.0,
                }
            }
            if job is not None:
                told["job"] = {f: job[f] for f in ("id", "progress", "time_remaining")}
            return self._yes(200, told)
        if path == "/api/v1/cameras/snap" and server.has_camera:
            return self._yes(200, server.picture)
        if name := re.fullmatch(r"/api/v1/files/usb/([^/]+)", path):
            return self._file(name[1], body)
        if path.startswith("/api/v1/job"):
            return self._job(path.removeprefix("/api/v1/job").strip("/"))
        return self._no(404, "Not Found")

    def _file(self, name: str, body: bytes) -> None:
        server = self.server
        if self.command == "PUT":
            if name in server.files and self.headers.get("Overwrite") != "?1":
                return self._no(409, "File already exists")
            server.files[name] = body
            if "Print-After-Upload" in self.headers:  # as old servers did, whatever it says
                server.begin(name)
            return self._yes(201)
        if name not in server.files:
            return self._no(404, "Not Found")
        if self.command == "GET":
            return self._yes(200, file_info(name, server.files[name]))
        if not server.can_start:
            return self._no(409, "Printer is not in state to print.")
        server.begin(name)
        if server.loses_start:
            self.close_connection = True
            return None
        return self._yes(204)

    def _job(self, words: str) -> None:
        server, job = self.server, self.server.job()
        if not words:
            return self._yes(204) if job is None else self._yes(200, job)
        number, _, act = words.partition("/")
        if job is None or int(number) != job["id"]:
            return self._no(404, "Not Found")
        wanted = {"pause": ("PRINTING", "PAUSED"), "resume": ("PAUSED", "PRINTING")}
        if self.command == "DELETE":
            server.act("STOPPED")
        elif server.state() != wanted[act][0]:
            return self._no(409, "Printer Is Not Printing")
        else:
            server.act(wanted[act][1])
        return self._yes(204)

    def _unknown(self) -> bool | None:
        """None if the client proved who it is; else whether only its nonce is too old."""
        server = self.server
        if (key := self.headers.get("X-Api-Key")) is not None:
            return None if key == server.password else False
        kind, _, words = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() != "digest":
            return False
        told = parse_keqv_list(parse_http_list(words))
        who = _md5(f"{server.user}:{REALM}:{server.password}")
        what = _md5(f"{self.command}:{self.path}")
        between = ":".join(told[part] for part in ("nonce", "nc", "cnonce", "qop"))
        proof = _md5(f"{who}:{between}:{what}")
        if told["response"] != proof or told["uri"] != self.path:
            return False
        with server.lock:
            left = server.nonces.get(told["nonce"], 0)
            server.nonces[told["nonce"]] = left - 1
        return None if left > 0 else True

    def _challenge(self, *, stale: bool) -> None:
        nonce = secrets.token_hex(16)
        self.server.nonces[nonce] = self.server.nonce_uses
        words = f'Digest realm="{REALM}", nonce="{nonce}", qop="auth", stale={str(stale).lower()}'
        self._no(401, "Unauthorized", {"WWW-Authenticate": words})

    def _no(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        self._yes(status, {"title": f"{status}", "text": text}, headers)

    def _yes(
        self, status: int, content: object = None, headers: dict[str, str] | None = None
    ) -> None:
        picture = isinstance(content, bytes)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        if status == 204 or content is None:
            body = b""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "image/png" if picture else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _md5(words: str) -> str:
    return hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def prusalink(
    password: str = "a-password", *, prefix: str = "", certificate: Path | None = None
) -> Iterator[PrusaLinkStandIn]:
    with PrusaLinkStandIn(password, prefix=prefix, certificate=certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
