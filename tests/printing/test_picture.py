"""Stills of a printer's camera."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO

import pytest

from labkit.printing.servers import web
from labkit.printing.servers.octoprint import NEEDED_RIGHTS, OctoPrint
from labkit.printing.servers.web import still

from .administrator import Administrator
from .conftest import with_both_servers
from .stub import stub

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n a picture"


class Camera(ThreadingHTTPServer):
    """Says what a test tells it to, and remembers with which headers it was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[[BinaryIO], object]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.asked = answer, list[str]()
        self.url = f"http://127.0.0.1:{self.server_port}/still.jpg"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has had enough is not an error here."""


class _Handler(BaseHTTPRequestHandler):
    server: Camera

    def do_GET(self) -> None:
        self.server.asked.append(str(self.headers))
        self.server.answer(self.wfile)  # type: ignore[arg-type]

    def log_message(self, *words: object) -> None:
        pass


def said(
    content: bytes, status: bytes = b"200 OK", more: bytes = b""
) -> Callable[[BinaryIO], object]:
    return lambda out: out.write(b"HTTP/1.0 " + status + b"\r\n" + more + b"\r\n" + content)


def endless(begin: bytes) -> Callable[[BinaryIO], object]:
    def answer(out: BinaryIO) -> None:
        out.write(b"HTTP/1.0 200 OK\r\n\r\n" + begin)
        while True:
            out.write(bytes(1000))

    return answer


def at(address: str) -> dict[str, object]:
    return {"webcam": {"snapshotUrl": address}}


@contextmanager
def camera(answer: Callable[[BinaryIO], object] | None = None) -> Iterator[Camera]:
    with Camera(answer or said(JPEG)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("content", [JPEG, PNG])
def test_still(content: bytes) -> None:
    with camera(said(content)) as server:
        assert still(server.url) == content


@pytest.mark.parametrize(
    "answer",
    [
        said(b"<html>no camera</html>"),
        said(b""),
        said(JPEG, b"404 Not Found"),
        said(JPEG, b"302 Found", b"Location: /other.jpg\r\n"),
        said(JPEG, more=b"Content-Length: 1000\r\n"),
        endless(JPEG),
        endless(b"--boundary\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG),
    ],
    ids=["HTML", "nothing", "not found", "redirect", "cut off", "endless", "a stream"],
)
def test_what_is_no_still(
    answer: Callable[[BinaryIO], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "LARGEST_STILL_BYTES", 100_000)
    with camera(answer) as server:
        assert still(server.url) is None
        assert len(server.asked) == 1


def test_still_that_comes_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "STILL_LIMIT_S", 0.0)
    with camera() as server:
        assert still(server.url) is None


@pytest.mark.parametrize("address", ["/webcam", "file:///etc/hostname", "http://127.0.0.1:9/", ""])
def test_address_of_no_camera(address: str) -> None:
    assert still(address) is None


@with_both_servers
def test_picture_where_the_server_says_it_is(
    printer: OctoPrint, administrator: Administrator
) -> None:
    key = administrator.user("watcher", {*NEEDED_RIGHTS, "SETTINGS_READ", "WEBCAM"})
    watching = OctoPrint(printer.url, key)
    administrator.camera("")
    assert watching.picture() is None
    with camera() as server:
        administrator.camera(server.url)
        assert watching.picture() == JPEG
        assert key not in server.asked[0]
        assert printer.picture() is None  # this key may not read where the camera is
        assert len(server.asked) == 1


def test_picture_where_the_lab_says_it_is(printer: OctoPrint) -> None:
    key = printer._session.headers["X-Api-Key"]
    with camera() as server:
        assert OctoPrint(printer.url, str(key), snapshot_url=server.url).picture() == JPEG
        assert str(key) not in server.asked[0]


def test_loopback_of_another_machine_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with camera() as server, stub({"/api/settings": (200, at(server.url))}) as there:
        octoprint = OctoPrint(there.url, "key")
        assert octoprint.picture() == JPEG
        monkeypatch.setattr(
            "labkit.printing.servers.octoprint._is_loopback", lambda url: url != there.url
        )
        assert octoprint.picture() is None
        assert len(server.asked) == 1
