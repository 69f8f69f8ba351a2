import hashlib
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from labkit.errors import InputError, PrinterError
from labkit.printing.servers import octoprint, push_channel
from labkit.printing.servers.messages import Ended, Heater, Running, Said
from labkit.printing.servers.octoprint import NEEDED_RIGHTS, OctoPrint
from labkit.printing.servers.web import was_answered

from .administrator import Administrator
from .conftest import with_both_servers
from .gcode import write_gcode
from .stub import stub


def person(version: str, **user: object) -> dict[str, tuple[int, object]]:
    told = {"name": "labkit", "groups": [], "permissions": sorted(NEEDED_RIGHTS), **user}
    return {"/api/currentuser": (200, told), "/api/version": (200, {"server": version})}


@with_both_servers
def test_who_names_server_and_user(printer: OctoPrint, version: str) -> None:
    server = printer.who()
    assert (server.version, server.user, server.rights) == (version, "labkit", NEEDED_RIGHTS)


def test_wrong_key(printer: OctoPrint) -> None:
    with pytest.raises(PrinterError, match="does not know this key") as refused:
        OctoPrint(printer.url, "wrong").who()
    assert was_answered(refused.value)
    assert "wrong" not in str(refused.value).replace("a wrong", "")


@with_both_servers
def test_global_key_is_refused(administrator: Administrator, version: str) -> None:
    mighty = OctoPrint(administrator.url, administrator.key)
    with pytest.raises(PrinterError, match="administrator"):
        mighty.who()
    assert mighty.who(allow_admin=True).version == version


def test_nobody_at_the_address(printer: OctoPrint) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with pytest.raises(PrinterError, match="no answer from the printer's server") as refused:
        OctoPrint(f"http://127.0.0.1:{free}", "key").who()
    assert not was_answered(refused.value)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (person("1.11.7"), "OctoPrint 1.11.7"),
        (person("1.12"), "not OctoPrint's"),
        (person("1.11.8", permissions=["STATUS"]), "may not CONNECTION, FILES_LIST"),
        (person("1.11.8", permissions=["ADMIN"]), "administrator"),
        (person("1.11.8", groups=["admins"]), "administrator"),
        ({"/api/currentuser": (200, "hello")}, "not OctoPrint's"),
        ({"/api/currentuser": (404, {})}, "no such file or function"),
        ({"/api/currentuser": (503, {})}, "the server failed"),
    ],
)
def test_refused_servers_and_keys(answers: dict[str, tuple[int, object]], words: str) -> None:
    with stub(answers) as server, pytest.raises(PrinterError, match=words):
        OctoPrint(server.url, "key").who()


@pytest.mark.parametrize("version", ["1.11.8", "1.11.10", "2.0.0rc7"])
def test_accepted_versions_and_prefix(version: str) -> None:
    answers = {f"/octoprint{path}": answer for path, answer in person(version).items()}
    with stub(answers) as server:
        assert OctoPrint(f"{server.url}/octoprint/", "key").who().version == version


def test_old_server_only_if_somebody_answers_for_it() -> None:
    with stub(person("1.10.3")) as server:
        accepting = OctoPrint(server.url, "key", old_server_accepted="A. Lee: alone in its network")
        who = accepting.who()
        assert who.version == "1.10.3"
        assert who.note.startswith("OctoPrint 1.10.3 is older than 1.11.8, accepted: ")


def test_key_never_follows_a_redirect() -> None:
    with (
        stub(person("1.11.8")) as other,
        stub({"/api/currentuser": (302, f"{other.url}/api/currentuser")}) as server,
    ):
        with pytest.raises(PrinterError, match="sends us elsewhere"):
            OctoPrint(server.url, "key").who()
        assert server.asked == ["/api/currentuser"]
        assert other.asked == []


def test_environment_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub({}) as proxy, stub(person("1.11.8")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert OctoPrint(server.url, "key").who().user == "labkit"
        assert proxy.asked == []


def test_certificate_of_the_lab(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begin = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "ca.pem").write_bytes(public)
    (tmp_path / "server.pem").write_bytes(private + public)
    with stub(person("1.11.8"), tmp_path / "server.pem") as server:
        with pytest.raises(PrinterError, match="not trusted"):
            OctoPrint(server.url, "key").who()
        trusting = OctoPrint(server.url, "key", ca_file=tmp_path / "ca.pem")
        assert trusting.who().user == "labkit"


@pytest.mark.parametrize("url", ["octopi.local", "ftp://host", "http://me:secret@host", ""])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InputError, match="the address"):
        OctoPrint(url, "key")


def test_keys_and_certificates_that_are_none(tmp_path: Path) -> None:
    for key in ("", "two words", "line\nbreak"):
        with pytest.raises(InputError, match="key"):
            OctoPrint("http://127.0.0.1", key)
    with pytest.raises(InputError, match=r"no certificate file none\.pem"):
        OctoPrint("https://127.0.0.1", "key", ca_file=tmp_path / "none.pem")


@with_both_servers
def test_upload_never_overwrites_and_tells_progress(
    printer: OctoPrint, tmp_path: Path, version: str
) -> None:
    path = write_gcode(tmp_path / "upload.gcode", extra="; filler\n" * 120_000)
    size = path.stat().st_size
    told: list[tuple[int, int]] = []
    assert printer.file("upload-test.gcode") is None
    assert printer.upload(path, "upload-test.gcode", lambda *step: told.append(step))
    assert told[-1] == (size, size)
    assert len(told) > 3
    assert [step[0] for step in told] == sorted(step[0] for step in told)
    stored = printer.file("upload-test.gcode")
    assert stored is not None
    assert (stored.size_bytes, stored.prints_done, stored.prints_failed) == (size, 0, 0)
    ours = hashlib.sha1(path.read_bytes()).hexdigest()
    assert stored.sha1 == (ours if version == "1.11.8" else None)

    path.write_text("G28\n")
    assert not printer.upload(path, "upload-test.gcode")
    assert printer.file("upload-test.gcode") == stored


@pytest.mark.parametrize("name", ["a/b.gcode", ".hidden.gcode", "x.stl", "a b.gcode", "ü.gcode"])
def test_upload_only_under_names_that_stay(printer: OctoPrint, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="would change"):
        printer.upload(write_gcode(tmp_path / "x.gcode"), name)


@with_both_servers
def test_refusals_in_words(printer: OctoPrint) -> None:
    acts: list[tuple[Callable[[], None], str]] = [
        (printer.cancel, "offline or busy"),
        (lambda: printer.start("nothing-there.gcode"), "no such file"),
        (lambda: printer.select("nothing-there.gcode"), "no such file"),
    ]
    for act, words in acts:
        with pytest.raises(PrinterError, match=words) as refused:
            act()
        assert was_answered(refused.value)


@with_both_servers
def test_push_tells_of_a_print(printer: OctoPrint, tmp_path: Path) -> None:
    path = write_gcode(tmp_path / "push.gcode", dwells=12)
    printer.upload(path, "push-test.gcode")
    said: list[Said] = []
    ends: list[Ended] = []
    positions: list[int] = []
    with printer.channel() as channel:
        printer.select("push-test.gcode")
        assert printer.job().file_name == "push-test.gcode"
        assert printer.job().is_ready
        printer.start("push-test.gcode")
        give_up = time.monotonic() + 30
        while not ends and time.monotonic() < give_up:
            for pushed in channel.read(timeout_s=0.5):
                if isinstance(pushed, Said):
                    said.append(pushed)
                elif isinstance(pushed, Ended):
                    ends.append(pushed)
                elif isinstance(pushed, Running) and pushed.job.filepos_bytes is not None:
                    positions.append(pushed.job.filepos_bytes)
    assert said.count(Said("the server began the print")) == 1
    assert [(end.file_name, end.state) for end in ends] == [("push-test.gcode", "finished")]
    assert ends[0].print_time_s is not None
    assert positions == sorted(positions)
    assert 0 < positions[-1] <= path.stat().st_size


def test_push_channel_that_is_not_there_is_only_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_channel, "GREETING_LIMIT_S", 0.1)
    with stub({}) as server, OctoPrint(server.url, "key").channel() as channel:
        assert channel.read(timeout_s=0.01) == []


@with_both_servers
def test_heaters(printer: OctoPrint) -> None:
    heaters = {heater.name: heater for heater in printer.heaters()}
    assert {"bed", "tool0"} <= set(heaters)
    assert heaters["tool0"].is_hotend
    assert not heaters["bed"].is_hotend
    assert 0 < heaters["tool0"].actual_c < 500


def test_heaters_of_a_printer_that_is_not_connected_or_has_just_been() -> None:
    with stub({"/api/printer?exclude=sd": (409, {"error": "not operational"})}) as server:
        assert OctoPrint(server.url, "key").heaters() == ()
    told = {"bed": {"actual": None}, "tool0": {"actual": 21.5, "target": None}}
    with stub({"/api/printer?exclude=sd": (200, {"temperature": told})}) as server:
        assert OctoPrint(server.url, "key").heaters() == (Heater("tool0", 21.5, 0.0),)


@with_both_servers
def test_firmware_settings_only_for_who_may_ask(
    printer: OctoPrint, administrator: Administrator
) -> None:
    assert printer.firmware_settings() is None
    rights = {*NEEDED_RIGHTS, "CONTROL", "MONITOR_TERMINAL"}
    settings = OctoPrint(printer.url, administrator.user("technician", rights)).firmware_settings()
    assert settings is not None
    assert "M92 X80.0 Y80.0 Z800.0 E90.0" in settings.splitlines()


@with_both_servers
def test_firmware_that_lists_no_settings(
    printer: OctoPrint, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(octoprint, "FIRMWARE_LIMIT_S", 0.5)
    blind = administrator.user("blind", {*NEEDED_RIGHTS, "CONTROL"})
    assert OctoPrint(printer.url, blind).firmware_settings() is None
