"""A small web server that says what a test tells it to, and remembers who asked."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answers = Mapping[str, tuple[int, object]]

HANGS_UP, HANGS = 0, -1


class Stub(ThreadingHTTPServer):
    """Answers by path: a status and JSON, bytes, or the address of a redirect.

    Other methods than GET are told as ``POST /path``, or have the answer of the path.  The
    statuses `HANGS_UP` and `HANGS` give no answer.
    """

    daemon_threads = True

    def __init__(self, answers: Answers, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.asked, self.ended = answers, list[str](), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.url = f"https://localhost:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off (it does not trust us) is not an error here."""


class _Handler(BaseHTTPRequestHandler):
    server: Stub

    def _serve(self) -> None:
        asked = self.path if self.command == "GET" else f"{self.command} {self.path}"
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(asked)
        known = self.server.answers
        status, content = known.get(asked) or known.get(self.path) or (404, {})
        if status == HANGS:
            self.server.ended.wait()
        if status in (HANGS, HANGS_UP):
            return
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", str(content))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def stub(answers: Answers, certificate: Path | None = None) -> Iterator[Stub]:
    with Stub(answers, certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
