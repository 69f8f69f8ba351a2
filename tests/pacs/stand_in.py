"""Servers that fail in ways that a real one cannot be made to, and one that encrypts."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.presentation import AllStoragePresentationContexts

FIND, GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"

Reply = tuple[int, dict[str, str], bytes]
Respond = Callable[[str], Reply]


def rows(images: Sequence[Dataset], level: str) -> list[Dataset]:
    """What a PACS says of images at a level: one row for the first, or one for each."""
    found = []
    for image in images if level == "IMAGE" else images[:1]:
        row = Dataset()
        for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(row, name, image[name].value)
        row.Modality, row.SOPClassUID = image.Modality, image.SOPClassUID
        found.append(row)
    return found


@contextmanager
def dimse(
    listed: Sequence[Dataset], sent: Sequence[Dataset], *, wait: threading.Event | None = None
) -> Iterator[int]:
    """A PACS that lists some images and sends others; its port.

    ``wait``: it answers a C-FIND only when this is set.
    """

    def find(event: Event) -> Iterator[tuple[int, Dataset]]:
        if wait is not None:
            wait.wait(30)
        for row in rows(listed, event.identifier.QueryRetrieveLevel):
            yield 0xFF00, row

    def get(event: Event) -> Iterator[int | tuple[int, Dataset]]:
        yield len(sent)
        for image in sent:
            yield 0xFF00, image

    entity = AE("STANDIN")
    entity.add_supported_context(FIND)
    entity.add_supported_context(GET)
    for context in AllStoragePresentationContexts[:120]:
        entity.add_supported_context(
            str(context.abstract_syntax),
            sent[0].file_meta.TransferSyntaxUID,
            scu_role=True,
            scp_role=True,
        )
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, find), (evt.EVT_C_GET, get)]
    )
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        if wait is not None:
            wait.set()
        entity.shutdown()


@contextmanager
def web(respond: Respond) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A web server; its address, and who asked: path and ``Authorization``."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = respond(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 (the library's name)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that breaks off is not an error here."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def as_json(found: Sequence[Dataset]) -> Reply:
    """An answer of QIDO-RS or STOW-RS."""
    body = json.dumps([one.to_json_dict() for one in found]).encode()
    kind = {"Content-Type": "application/dicom+json", "Content-Length": str(len(body))}
    return 200, kind, body


@contextmanager
def encrypted(port: int, certificate: Path) -> Iterator[int]:
    """A port that speaks TLS in front of one that does not, as a lab's proxy does.

    ``certificate``: with its key, as one PEM file.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),  # a client that does not trust us breaks off
                context.wrap_socket(self.request, server_side=True) as client,
                socket.create_connection(("127.0.0.1", port)) as server,
            ):
                back = threading.Thread(target=pass_on, args=(server, client))
                back.start()
                pass_on(client, server)
                back.join()

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)

    class Front(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Front(("127.0.0.1", 0), Relay) as front:
        thread = threading.Thread(target=front.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield front.server_address[1]
        finally:
            front.shutdown()
            thread.join()
