"""What is Moonraker's own; against the real program before a stand-in for Klipper."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from labkit.errors import PrinterError
from labkit.printing.servers import moonraker as module
from labkit.printing.servers import web
from labkit.printing.servers.messages import Ended, Fault, Pushed, Running
from labkit.printing.servers.moonraker import HISTORY_PAGE, Moonraker
from labkit.printing.servers.web import was_answered

from .benches import MoonrakerBench, moonraker
from .gcode import write_gcode
from .moonraker_server import MoonrakerServer
from .prusalink_stand_in import PNG
from .stub import Answers, stub

SHUTDOWN = "MCU 'mcu' shutdown: Heater extruder not heating at expected rate"


@pytest.fixture
def bench(moonraker_server: MoonrakerServer) -> Iterator[MoonrakerBench]:
    found = MoonrakerBench(moonraker_server)
    found.make_ready()
    yield found
    moonraker_server.klippy.refuses = ""
    moonraker_server.klippy.is_stalled = False
    found.make_ready()


def store(bench: MoonrakerBench, path: Path, *, dwells: int = 0) -> str:
    name = f"{path.parent.name}-{path.stem}.gcode"
    assert bench.printer.upload(write_gcode(path, dwells=dwells), name)
    return name


def test_server_that_trusts_the_address_is_noted_and_still_checks_the_key() -> None:
    with moonraker(trusts=True) as server:
        assert requests.get(f"{server.url}/server/info", timeout=10).ok
        known = server.printer().who()
        assert known.version == "0.11.0"
        assert "asks nobody at this address for a key" in known.note
        with pytest.raises(PrinterError, match="the key is wrong"):
            Moonraker(server.url, "wrong").who()


def test_bytes_that_change_on_the_way(
    bench: MoonrakerBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gcode(tmp_path / "changed.gcode")
    monkeypatch.setattr(module, "sha256_of", lambda path: "00" * 32)
    with pytest.raises(PrinterError, match="other bytes than were sent") as refused:
        bench.printer.upload(path, "changed.gcode")
    assert was_answered(refused.value)
    assert bench.printer.file("changed.gcode") is None


def test_hash_is_of_what_lies_there_and_fetched_once(bench: MoonrakerBench, tmp_path: Path) -> None:
    name = store(bench, tmp_path / "hashed.gcode")
    fetched: list[str] = []

    def note(answer: requests.Response, *words: object, **named: object) -> None:
        if answer.request.method == "GET" and "/server/files/" in str(answer.url):
            fetched.append(str(answer.url))

    printer = bench.server.printer()
    printer._session.hooks["response"].append(note)
    first = printer.file(name)
    assert first is not None
    assert first == printer.file(name)
    assert first.sha256 == hashlib.sha256((tmp_path / "hashed.gcode").read_bytes()).hexdigest()
    assert len(fetched) == 1

    there = bench.server.klippy._gcodes / name
    content = there.read_bytes()
    there.write_bytes(content.replace(b"G28", b"G29"))
    second = bench.server.printer().file(name)
    assert second is not None
    assert (second.size_bytes, second.sha256 == first.sha256) == (first.size_bytes, False)


def test_start_that_klipper_refuses(bench: MoonrakerBench, tmp_path: Path) -> None:
    name = store(bench, tmp_path / "refused.gcode")
    bench.server.klippy.refuses = "Must home axis first"
    with pytest.raises(PrinterError, match=r"refused \(400\): Must home axis first") as refused:
        bench.printer.start(name)
    assert was_answered(refused.value)
    stored = bench.printer.file(name)
    assert stored is not None
    assert stored.prints_done + stored.prints_failed == 0


def test_klipper_that_does_not_answer(
    bench: MoonrakerBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "ANSWER_LIMIT_S", (1.0, 0.5))
    bench.server.klippy.is_stalled = True
    with pytest.raises(PrinterError, match="no answer") as silent:
        bench.printer.job()
    assert not was_answered(silent.value)
    bench.server.klippy.is_stalled = False
    assert bench.printer.job().is_ready


def heard_until_the_end(bench: MoonrakerBench, name: str, *, disconnect: bool) -> list[Pushed]:
    """What is pushed of a print that Klipper gives up in its middle."""
    heard: list[Pushed] = []
    with bench.printer.channel() as channel:
        bench.printer.start(name)
        bench.wait("busy")
        if disconnect:
            bench.take_offline()
        else:
            bench.server.klippy.shut_down(SHUTDOWN)
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up:
            heard += channel.read(timeout_s=0.2)
            if any(isinstance(event, Ended) for event in heard):
                break
    return heard


def test_shutdown_in_the_middle(bench: MoonrakerBench, tmp_path: Path) -> None:
    name = store(bench, tmp_path / "shutdown.gcode", dwells=80)
    heard = heard_until_the_end(bench, name, disconnect=False)
    assert Fault(SHUTDOWN) in heard
    (end,) = [event for event in heard if isinstance(event, Ended)]
    assert (end.file_name, end.state, end.told) == (name, "failed", SHUTDOWN)
    job = bench.printer.job()
    assert (job.phase, job.state, job.error) == ("offline", "shutdown", SHUTDOWN)
    assert job.filepos_bytes
    with pytest.raises(PrinterError, match="Heater extruder not heating") as refused:
        bench.printer.who()
    assert "not ready (shutdown)" in refused.value.found
    stored = bench.printer.file(name)
    assert stored is not None
    assert (stored.prints_done, stored.prints_failed, stored.last_succeeded) == (0, 1, False)
    assert stored.last_told == "Klipper shut down during the print"


def test_klipper_that_goes_away_in_the_middle(bench: MoonrakerBench, tmp_path: Path) -> None:
    name = store(bench, tmp_path / "gone.gcode", dwells=80)
    heard = heard_until_the_end(bench, name, disconnect=True)
    assert Fault("Klipper's process went away") in heard
    (end,) = [event for event in heard if isinstance(event, Ended)]
    assert end.state == "failed"
    assert "process" in end.told
    assert bench.printer.job().state == "disconnected"
    assert bench.printer.heaters() == ()
    assert bench.printer.firmware_settings() is None
    with pytest.raises(PrinterError, match="its process is not there"):
        bench.printer.who()


def test_channel_is_opened_again_and_klipper_followed_again(
    bench: MoonrakerBench, tmp_path: Path
) -> None:
    with bench.printer.channel() as channel:
        bench.take_offline()
        bench.wait("offline")
        bench.make_ready()
        name = store(bench, tmp_path / "again.gcode", dwells=5)
        bench.printer.start(name)
        heard: list[Pushed] = []
        give_up = time.monotonic() + 20
        while Ended not in map(type, heard) and time.monotonic() < give_up:
            heard += channel.read(timeout_s=0.2)
    assert any(isinstance(event, Running) and event.job.is_busy for event in heard)
    assert [event.state for event in heard if isinstance(event, Ended)] == ["finished"]


@pytest.mark.parametrize("kills", [False, True])
def test_moonraker_restarted_while_klipper_prints_on(tmp_path: Path, kills: bool) -> None:
    with moonraker() as server:
        bench = MoonrakerBench(server)
        printer = server.printer()
        name = store(bench, tmp_path / "goes-on.gcode", dwells=5)
        server.klippy.stands_still = True
        printer.start(name)
        bench.wait("busy")
        give_up = time.monotonic() + 20
        while not printer._history("") and time.monotonic() < give_up:
            time.sleep(0.05)  # the history learns of it by a push of Klipper's
        if kills:
            bench.kill()
        server.stop_server()
        server.start_server()
        assert bench.printer.job().is_busy
        stored = bench.printer.file(name)
        assert stored is not None
        assert (stored.prints_done, stored.prints_failed) == (0, 0)  # it goes on
        server.klippy.stands_still = False
        bench.wait("ready")
        stored = bench.printer.file(name)
        assert stored is not None
        assert (stored.prints_done, stored.last_succeeded) == (1, True)  # Klipper still knows

        bench.take_offline()
        bench.make_ready()
        stored = bench.printer.file(name)
        assert stored is not None
        assert (stored.prints_done, stored.prints_failed) == (0, 1)
        assert stored.last_succeeded is None
        assert "does not say how it ended" in stored.last_told


def test_klippers_configuration_a_line_each(bench: MoonrakerBench) -> None:
    told = bench.printer.firmware_settings()
    assert told is not None
    lines = told.splitlines()
    assert lines == sorted(lines)
    assert "[extruder] nozzle_diameter: 0.4" in lines
    assert '[gcode_macro end] gcode: "G28\\nM84"' in lines


def test_active_spool_is_told() -> None:
    asked = {"result": {"status": {"configfile": {"settings": {"extruder": {"control": "pid"}}}}}}
    answers: Answers = {
        "/printer/objects/query?configfile": (200, asked),
        "/server/spoolman/spool_id": (200, {"result": {"spool_id": 7}}),
    }
    with stub(answers) as server:
        told = Moonraker(server.url, "key").firmware_settings()
    assert told == "[extruder] control: pid\nspoolman active spool: 7"


def test_picture_at_the_cameras_address() -> None:
    with stub({"/snap": (200, PNG)}) as camera:
        with moonraker(snapshot_url=f"{camera.url}/snap") as server:
            assert server.printer().picture() == PNG
        there = Moonraker("http://127.0.0.1:9", "key", snapshot_url=f"{camera.url}/snap")
        assert there.picture() == PNG


def test_picture_at_a_path_of_the_server(bench: MoonrakerBench) -> None:
    cameras = [
        {"enabled": False, "snapshot_url": "/other"},
        {"enabled": True, "snapshot_url": "/snap?last"},
    ]
    answers: Answers = {
        "/server/webcams/list": (200, {"result": {"webcams": cameras}}),
        "/snap?last": (200, PNG),
    }
    with stub(answers) as server:
        assert Moonraker(server.url, "key").picture() == PNG
    assert bench.printer.picture() is None  # it has no camera


def test_klipper_that_is_not_configured_for_files() -> None:
    told = {
        "klippy_state": "ready",
        "moonraker_version": "0.11.0",
        "missing_klippy_requirements": ["virtual_sdcard", "pause_resume"],
    }
    with (
        stub({"/server/info": (200, {"result": told})}) as server,
        pytest.raises(PrinterError, match=r"lacks \[virtual_sdcard\], \[pause_resume\]"),
    ):
        Moonraker(server.url, "key").who()


def test_history_of_many_pages() -> None:
    def page(start: int) -> str:
        return f"/server/history/list?order=desc&limit={HISTORY_PAGE}&start={start}"

    ours = [
        {"filename": "x.gcode", "status": "in_progress", "print_duration": None},
        {"filename": "x.gcode", "status": "cancelled", "print_duration": 5.0},
    ]
    theirs = [{"filename": "y.gcode", "status": "completed"}] * (HISTORY_PAGE - 2)
    older = [{"filename": "x.gcode", "status": "completed", "print_duration": 9.0}]
    answers: Answers = {
        "HEAD /server/files/gcodes/x.gcode": (200, b"G28\n"),
        "/server/files/gcodes/x.gcode": (200, b"G28\n"),
        page(0): (200, {"result": {"jobs": [*ours, *theirs]}}),
        page(HISTORY_PAGE): (200, {"result": {"jobs": older}}),
    }
    with stub(answers) as server:
        stored = Moonraker(server.url, "key").file("x.gcode")
    assert stored is not None
    assert (stored.prints_done, stored.prints_failed) == (1, 1)
    assert (stored.last_succeeded, stored.last_print_time_s) == (False, 5.0)
    assert stored.last_told == "cancelled"
    assert stored.sha256 == hashlib.sha256(b"G28\n").hexdigest()
