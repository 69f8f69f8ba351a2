"""A small web server that says what a test tells it to, and remembers who asked."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answers = Mapping[str, tuple[int, object]]


class Stub(ThreadingHTTPServer):
    """Answers by path: a status and JSON, or the address of a redirect."""

    def __init__(self, answers: Answers, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.asked = answers, list[str]()
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

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, content = self.server.answers.get(self.path, (404, {}))
        body = json.dumps(content).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", str(content))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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
            server.shutdown()
            thread.join()
