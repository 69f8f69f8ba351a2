"""``labkit printers``, and the key that a person grants; with a real OctoPrint."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from labkit.errors import StorageError
from labkit.files import write_whole
from labkit.home import home_folder
from labkit.printing.printers import registered_printers
from labkit.printing.servers import application_key
from labkit.printing.servers.application_key import ApplicationKeys, KeyRequest
from labkit.printing.servers.octoprint import NEEDED_RIGHTS, OctoPrint

from .administrator import Administrator
from .conftest import with_both_servers
from .stub import stub
from .test_octoprint import person

RIGHTS = {*NEEDED_RIGHTS, "PLUGIN_APPKEYS_GRANT"}
PROBE, REQUEST = "/plugin/appkeys/probe", "/plugin/appkeys/request"
OLD = "# the lab's own\nbench-0:\n  url: http://127.0.0.1:9   # off\n  key_file: keys/bench-0\n"


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    monkeypatch.setattr(application_key, "POLL_S", 0.05)


def written() -> list[str]:
    """What lies in the lab's folder, locks left out."""
    home = home_folder()
    found = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.endswith(".lock"))


def key_in(folder: Path, key: str = "the-key") -> Path:
    path = folder / "some.key"
    path.write_text(f"{key}\n")
    path.chmod(0o600)
    return path


def on_second_look(monkeypatch: pytest.MonkeyPatch, act: Callable[[KeyRequest], object]) -> None:
    """While the command waits, a person does something."""
    key, looks = ApplicationKeys.key, list[str | None]()

    def look(self: ApplicationKeys, request: KeyRequest) -> str | None:
        if len(looks) == 1:
            act(request)
        looks.append(key(self, request))
        return looks[-1]

    monkeypatch.setattr(ApplicationKeys, "key", look)


@with_both_servers
def test_added_by_a_key_that_a_person_grants(
    printer: OctoPrint,
    administrator: Administrator,
    version: str,
    typed: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    administrator.user("bench", RIGHTS)
    (home_folder() / "printers.yaml").write_text(OLD)

    def allow(request: KeyRequest) -> None:
        assert requests.get(request.confirm_at, timeout=20).status_code == 200
        administrator.decide("bench", allow=True)

    on_second_look(monkeypatch, allow)
    words = ("printers", "add", "bench-1", "--url", f"{printer.url}/", "--profile", "MK3S")
    code, out, err = typed(*words, "--user", "bench")
    assert (code, out) == (0, f"bench-1: entered, version {version}, as the user bench\n")
    assert f"open {printer.url}/plugin/appkeys/auth/" in err
    assert "waiting, 10 min left" in err

    home = home_folder()
    key = (home / "keys" / "bench-1").read_text().strip()
    assert stat.S_IMODE((home / "keys" / "bench-1").stat().st_mode) == 0o600
    assert key not in out + err
    assert OctoPrint(printer.url, key).who().user == "bench"
    table = (home / "printers.yaml").read_text()
    assert table.startswith(OLD)
    assert yaml.safe_load(table)["bench-1"] == {
        "url": f"{printer.url}/",
        "key_file": "keys/bench-1",
        "profile": "MK3S",
    }

    code, out, err = typed("printers")
    assert code == 0
    assert "bench-0 does not answer: the key file bench-0 cannot be read" in out
    code, out, _ = typed("printers", "list", "--json")
    rows = {row["printer"]: row for row in json.loads(out)["printers"]}
    assert rows["bench-0"]["phase"] == "no answer"
    assert (rows["bench-1"]["phase"], rows["bench-1"]["user"]) == ("ready", "bench")
    assert (rows["bench-1"]["kind"], rows["bench-1"]["version"]) == ("octoprint", version)

    code, out, _ = typed("printers", "show", "bench-1")
    assert code == 0
    assert "heater   tool0: " in out
    assert "tells the position" in out
    assert key not in out

    code, _, err = typed(*words)
    assert code == 2
    assert "a printer 'bench-1' already" in err


@with_both_servers
def test_refused_by_the_person(
    printer: OctoPrint, administrator: Administrator, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator.user("bench", RIGHTS)
    on_second_look(monkeypatch, lambda _: administrator.decide("bench", allow=False))
    code, _, err = typed("printers", "add", "bench-1", "--url", printer.url)
    assert code == 3
    assert "was refused, or the server dropped it" in err
    assert written() == []


@pytest.mark.parametrize("version", ["1.11.8"])
def test_nobody_confirms(printer: OctoPrint, typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application_key, "CONFIRM_LIMIT_S", 0.3)
    code, _, err = typed("printers", "add", "bench-1", "--url", printer.url)
    assert code == 3
    assert "nobody allowed the request for a key" in err
    assert written() == []


@pytest.mark.parametrize("version", ["2.0.0rc7"])
def test_granted_by_an_administrator(
    printer: OctoPrint, administrator: Administrator, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator.user("chief", RIGHTS, groups=["admins"])
    on_second_look(monkeypatch, lambda _: administrator.decide("chief", allow=True))
    code, _, err = typed("printers", "add", "bench-1", "--url", printer.url)
    assert code == 3
    assert "a key with administrator rights" in err
    assert "take the key away again" in err
    assert written() == []


def test_broken_off(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: KeyRequest) -> None:
        raise KeyboardInterrupt

    on_second_look(monkeypatch, interrupt)
    asked = {PROBE: (204, {}), REQUEST: (201, {"app_token": "T0"}), f"{REQUEST}/T0": (202, {})}
    with stub(asked) as server:
        code, _, _ = typed("printers", "add", "bench-1", "--url", server.url)
    assert code == 130
    assert written() == []


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "grants no application keys"),
        ({PROBE: (200, "a page of something else")}, "grants no application keys"),
        ({PROBE: (204, {}), REQUEST: (429, {"error": "slow down"})}, "too many requests for a key"),
        ({PROBE: (204, {}), REQUEST: (201, {"app_token": "../x"})}, "not OctoPrint's"),
        ({PROBE: (204, {}), REQUEST: (201, {"app_token": "T0"})}, "the server dropped it"),
        ({PROBE: (302, "http://127.0.0.1:9/")}, "sends us elsewhere"),
    ],
)
def test_servers_that_grant_no_key(
    answers: dict[str, tuple[int, object]], words: str, typed: Any
) -> None:
    with stub(answers) as server:
        code, _, err = typed("printers", "add", "bench-1", "--url", server.url)
    assert code == 3
    assert words in err
    assert written() == []


def test_server_that_is_away_for_a_moment_does_not_end_the_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {PROBE: (204, {}), REQUEST: (201, {"app_token": "T0"})}
    looks: list[float] = []
    with stub(asked) as server:
        keys = ApplicationKeys(server.url)
        request = keys.ask()
        assert "T0" not in repr(request)
        keys.url = "http://127.0.0.1:9"

        def come_back(left_s: float) -> None:
            looks.append(left_s)
            server.answers = {f"{REQUEST}/T0": (200, {"api_key": "granted"})}
            keys.url = server.url

        assert application_key.granted_key(keys, request, come_back) == "granted"
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (person("1.11.7"), "OctoPrint 1.11.7"),
        (person("1.11.8", permissions=["STATUS"]), "the key may not CONNECTION"),
        (person("1.11.8", permissions=["ADMIN"]), "administrator rights"),
        ({"/api/currentuser": (200, {"name": None})}, "does not know this key"),
    ],
)
def test_keys_and_servers_that_are_refused_before_anything_is_written(
    answers: dict[str, tuple[int, object]], words: str, typed: Any, tmp_path: Path
) -> None:
    with stub(answers) as server:
        add = ("printers", "add", "b", "--url", server.url, "--key-file", key_in(tmp_path))
        code, _, err = typed(*add)
    assert code == 3
    assert words in err
    assert "the-key" not in err
    assert written() == []


def test_old_server_that_somebody_answers_for(typed: Any, tmp_path: Path) -> None:
    with stub(person("1.10.3")) as server:
        accepted = "A. Lee, until May"
        add = ("printers", "add", "b", "--url", server.url, "--key-file", key_in(tmp_path))
        code, out, _ = typed(*add, "--old-server-accepted", accepted, "--json")
        assert (code, json.loads(out)["version"]) == (0, "1.10.3")
    assert registered_printers()["b"].old_server_accepted == accepted


@pytest.mark.parametrize(
    ("table", "name", "words"),
    [
        (OLD, "bench-0", "a printer 'bench-0' already"),
        ("other: {url: 'http://b', key_file: keys/b}\n", "b", "another printer with the key file"),
        ("{bench-0: {url: 'http://b', key_file: k}}\n", "b", "laid out so that no printer"),
        ("- a list", "b", "cannot be read"),
        ("", "practice-2", "which is a practice printer's"),
        ("", "../b", "the name '../b'"),
    ],
)
def test_tables_and_names_that_take_no_new_printer(
    table: str, name: str, words: str, typed: Any, tmp_path: Path
) -> None:
    path = home_folder() / "printers.yaml"
    path.write_text(table)
    with stub(person("1.11.8")) as server:
        add = ("printers", "add", name, "--url", server.url, "--key-file", key_in(tmp_path))
        code, _, err = typed(*add)
        assert server.asked == []
    assert code == 2
    assert words in err
    assert path.read_text() == table
    assert written() == ["printers.yaml"]


def test_certificate_is_named_from_the_labs_folder_where_it_lies_there(
    typed: Any, tmp_path: Path
) -> None:
    (tmp_path / "away.pem").touch()
    (home_folder() / "ca.pem").touch()
    with stub(person("1.11.8")) as server:
        for name, file in (("a", home_folder() / "ca.pem"), ("b", tmp_path / "away.pem")):
            add = ("printers", "add", name, "--url", server.url, "--key-file", key_in(tmp_path))
            assert typed(*add, "--ca-file", file)[0] == 0
    files = {name: told.ca_file for name, told in registered_printers().items()}
    assert files == {"a": Path("ca.pem"), "b": tmp_path / "away.pem"}


def test_table_without_a_last_line_end_is_kept(typed: Any, tmp_path: Path) -> None:
    path = home_folder() / "printers.yaml"
    path.write_text(OLD.rstrip("\n"))
    with stub(person("1.11.8")) as server:
        add = ("printers", "add", "b", "--url", server.url, "--key-file", key_in(tmp_path))
        assert typed(*add)[0] == 0
    assert path.read_text().startswith(OLD + "b:\n")
    assert sorted(registered_printers()) == ["b", "bench-0"]


def test_neither_key_nor_entry_when_the_table_cannot_be_written(
    typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: str, **more: Any) -> None:
        if path.name == "printers.yaml":
            raise StorageError("the disk is full", expected="room", fix="make some")
        write_whole(path, content, **more)

    monkeypatch.setattr("labkit.printing.printers.write_whole", full)
    with stub(person("1.11.8")) as server:
        add = ("printers", "add", "b", "--url", server.url, "--key-file", key_in(tmp_path))
        assert typed(*add)[0] == 3
    assert written() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kind", "moonraker"], "no key for a server of the kind moonraker"),
        (["--kind", "prusalink", "--snapshot-url", "x"], "--snapshot-url is not for prusalink"),
        (["--kind", "bambu"], "'bambu' is not one of"),
        (["--profile", "nothing"], "no profile 'nothing' among the printers"),
        (["--ca-file", "nothing.pem"], "no certificate file nothing.pem"),
    ],
)
def test_words_that_do_not_fit(words: list[str], told: str, typed: Any) -> None:
    code, _, err = typed("printers", "add", "b", "--url", "http://127.0.0.1:9", *words)
    assert code == 2
    assert told in " ".join(err.split())
    assert written() == []


def test_no_printer_yet(typed: Any) -> None:
    code, out, err = typed("printers", "--json")
    assert (code, json.loads(out)) == (0, {"printers": []})
    code, out, err = typed("printers")
    assert code == 0
    assert "none is entered yet: `labkit printers add`" in err
