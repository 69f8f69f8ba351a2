"""What a server of any kind may answer instead of what was asked for."""

import io
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3 import HTTPResponse

from labkit.errors import InputError, PrinterError
from labkit.printing.servers import web
from labkit.printing.servers.octoprint import NEEDED_RIGHTS
from labkit.printing.servers.web import picture_in, still, was_answered

from .benches import KINDS
from .prusalink_stand_in import prusalink
from .stub import HANGS, HANGS_UP, Answers, stub

KLIPPER = "/printer/objects/query?webhooks&print_stats&virtual_sdcard"
READY = {
    "result": {
        "status": {"webhooks": {"state": "ready"}, "print_stats": {"state": "standby"}},
    }
}

WHO: dict[str, dict[str, tuple[int, object]]] = {
    "octoprint": {
        "/api/currentuser": (
            200,
            {"name": "labkit", "groups": [], "permissions": sorted(NEEDED_RIGHTS)},
        ),
        "/api/version": (200, {"server": "1.11.8"}),
    },
    "moonraker": {
        "/server/info": (200, {"result": {"klippy_state": "ready", "moonraker_version": "0.11.0"}}),
        "/access/user": (200, {"result": {"username": "labkit"}}),
        "/access/info": (200, {"result": {"trusted": False}}),
    },
    "prusalink": {
        "/api/version": (
            200,
            {"api": "2.0.0", "text": "PrusaLink", "capabilities": {"upload-by-put": True}},
        ),
    },
}
"""What `who` of each kind is content with."""

START: dict[str, tuple[str, dict[str, tuple[int, object]]]] = {
    "octoprint": ("POST /api/files/local/x.gcode", {}),
    "moonraker": ("POST /printer/print/start", {KLIPPER: (200, READY)}),
    "prusalink": (
        "POST /api/v1/files/usb/x.gcode",
        {
            "/api/v1/storage": (200, {"storage_list": [{"path": "/usb", "available": True}]}),
            "/api/v1/job": (200, {}),
            "/api/v1/status": (200, {"printer": {"state": "IDLE"}}),
        },
    ),
}
"""The request of each kind that starts a print, and what goes before it."""

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "ANSWER_LIMIT_S", (1.0, 0.5))


@each_kind
def test_content(kind: str) -> None:
    with stub(WHO[kind]) as server:
        assert KINDS[kind](server.url, "key").who().version


@each_kind
def test_prefix(kind: str) -> None:
    answers = {f"/bench{path}": answer for path, answer in WHO[kind].items()}
    with stub(answers) as server:
        assert KINDS[kind](f"{server.url}/bench/", "key").who().version


def test_prefix_and_digest() -> None:
    with prusalink(prefix="/bench") as server:
        assert KINDS["prusalink"](server.url, server.password).who().version


@each_kind
def test_nobody_at_the_address(kind: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with pytest.raises(PrinterError, match="no answer from the printer's server") as refused:
        KINDS[kind](f"http://127.0.0.1:{free}", "key").who()
    assert not was_answered(refused.value)


@each_kind
@pytest.mark.parametrize(
    ("answer", "words", "answered"),
    [
        ((HANGS, None), "no answer from the printer's server", False),
        ((HANGS_UP, None), "no answer from the printer's server", False),
        ((500, "broken"), r"the server failed \(500\)", False),
        ((502, "broken"), r"the server failed \(502\)", False),
        ((401, {}), "the key is wrong", True),
        ((404, {}), "no such file or function", True),
        ((200, "hello"), "an answer that is not", True),
        ((200, {"another": "product"}), "not", True),
    ],
)
def test_other_answers(kind: str, answer: tuple[int, object], words: str, answered: bool) -> None:
    answers = dict.fromkeys(WHO[kind], answer)
    with stub(answers) as server, pytest.raises(PrinterError, match=words) as refused:
        KINDS[kind](server.url, "the-secret").who()
    assert was_answered(refused.value) == answered
    assert "the-secret" not in str(refused.value)


@each_kind
def test_key_never_follows_a_redirect(kind: str) -> None:
    first = next(iter(WHO[kind]))
    with stub(WHO[kind]) as other, stub({first: (302, f"{other.url}{first}")}) as server:
        with pytest.raises(PrinterError, match="sends us elsewhere"):
            KINDS[kind](server.url, "key").who()
        assert server.asked == [first]
        assert other.asked == []


@each_kind
def test_environment_proxy_is_not_used(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with stub({}) as proxy, stub(WHO[kind]) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert KINDS[kind](server.url, "key").who().version
        assert proxy.asked == []


@each_kind
def test_certificate_of_the_lab(kind: str, certificate: Path) -> None:
    with stub(WHO[kind], certificate) as server:
        with pytest.raises(PrinterError, match="not trusted"):
            KINDS[kind](server.url, "key").who()
        trusting = KINDS[kind](server.url, "key", ca_file=certificate.with_name("ca.pem"))
        assert trusting.who().version


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of a server; ``ca.pem`` beside it vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begin = datetime.now(UTC) - timedelta(days=1)
    public = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "ca.pem").write_bytes(public)
    (tmp_path / "server.pem").write_bytes(private + public)
    return tmp_path / "server.pem"


@each_kind
@pytest.mark.parametrize("url", ["octopi.local", "ftp://host", "http://me:secret@host", ""])
def test_addresses_that_are_none(kind: str, url: str) -> None:
    with pytest.raises(InputError, match="the address"):
        KINDS[kind](url, "key")


@each_kind
@pytest.mark.parametrize("key", ["", "two words", "line\nbreak"])
def test_keys_that_are_none(kind: str, key: str) -> None:
    with pytest.raises(InputError, match="key"):
        KINDS[kind]("http://127.0.0.1", key)


@each_kind
@pytest.mark.parametrize(
    ("answer", "answered"),
    [
        ((HANGS, None), False),
        ((HANGS_UP, None), False),
        ((500, "broken"), False),
        ((400, {"error": {"code": 400, "message": "SD busy"}}), True),
        ((401, {}), True),
        ((404, {}), True),
        ((409, {}), True),
    ],
)
def test_whether_a_start_was_answered(
    kind: str, answer: tuple[int, object], answered: bool
) -> None:
    request, before = START[kind]
    with stub({**before, request: answer}) as server:
        with pytest.raises(PrinterError) as refused:
            KINDS[kind](server.url, "key").start("x.gcode")
        assert was_answered(refused.value) == answered
        assert server.asked.count(request) == 1


@pytest.mark.parametrize("kind", ["moonraker", "prusalink"])
def test_start_that_was_not_even_asked_for(kind: str) -> None:
    request, before = START[kind]
    answers: Answers = {**dict.fromkeys(before, (HANGS_UP, None)), request: (200, {})}
    with stub(answers) as server:
        with pytest.raises(PrinterError, match="no answer") as refused:
            KINDS[kind](server.url, "key").start("x.gcode")
        assert was_answered(refused.value)
        assert request not in server.asked


def test_start_that_is_carried_out_without_an_answer() -> None:
    with prusalink() as server:
        server.files["x.gcode"], server.loses_start = b"G4 P5000\n", True
        printer = KINDS["prusalink"](server.url, server.password)
        with pytest.raises(PrinterError, match="no answer") as refused:
            printer.start("x.gcode")
        assert not was_answered(refused.value)
        assert printer.job().file_name == "x.gcode"


@each_kind
def test_channel_that_is_not_there_is_only_silent(kind: str) -> None:
    with stub({}) as server, KINDS[kind](server.url, "key").channel() as channel:
        assert channel.read(timeout_s=0.01) == []


@pytest.mark.parametrize(
    ("answer", "is_one"),
    [
        (b"\x89PNG picture", True),
        (b"\xff\xd8 picture", True),
        (b"<html>", False),
        (b"", False),
    ],
)
def test_stills(answer: bytes, is_one: bool) -> None:
    with prusalink() as server:
        server.picture = answer
        printer = KINDS["prusalink"](server.url, server.password)
        assert printer.picture() == (answer if is_one else None)
        assert still(f"{server.url}/api/v1/cameras/snap") is None  # it wants the password


def test_film_is_no_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LARGEST_STILL_BYTES", 1 << 18)
    film = requests.Response()
    frames = io.BytesIO(b"\xff\xd8" + bytes(1 << 20))
    film.status_code, film.raw = 200, HTTPResponse(frames, preload_content=False)
    assert picture_in(film) is None
