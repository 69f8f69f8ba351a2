"""The same behaviour of every kind of printer.

OctoPrint and Moonraker are the real programs, before a virtual printer and before a
stand-in for Klipper; PrusaLink is a stand-in after its specification.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.errors import PrinterError
from labkit.printing import submission, watching
from labkit.printing.record import JobRecord
from labkit.printing.servers.messages import Ended, Pushed
from labkit.printing.servers.web import was_answered
from labkit.printing.submission import print_once
from labkit.printing.watching import Progress

from .benches import (
    KINDS,
    Bench,
    MoonrakerBench,
    OctoPrintBench,
    PrusaLinkBench,
    own_bench,
)
from .gcode import write_gcode
from .prusalink_stand_in import prusalink


@pytest.fixture(params=KINDS)
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """A printer that is ready, with a lab of its own."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    found: Bench
    if request.param == "octoprint":
        found = OctoPrintBench(request.getfixturevalue("printer"))
    elif request.param == "moonraker":
        found = MoonrakerBench(request.getfixturevalue("moonraker_server"))
    else:
        with prusalink() as server:
            yield PrusaLinkBench(server)
        return
    found.make_ready()
    yield found
    found.make_ready()


def store(bench: Bench, path: Path, *, dwells: int = 0, extra: str = "") -> str:
    """The name of a new file on the server."""
    name = f"{path.parent.name}-{path.stem}.gcode"
    assert bench.printer.upload(write_gcode(path, dwells=dwells, extra=extra), name)
    return name


def ended(bench: Bench, name: str) -> str:
    """How a print ended, as the printer tells it, once it has."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        job, stored = bench.printer.job(), bench.printer.file(name)
        assert stored is not None
        if job.ended is not None and job.file_name == name:
            return job.ended
        if not job.is_busy and stored.last_succeeded is not None:
            return "finished" if stored.last_succeeded else "failed"
        time.sleep(0.05)
    raise AssertionError(bench.printer.job())


def test_who_answers(bench: Bench) -> None:
    server = bench.printer.who()
    assert server.version
    assert server.note == ""
    assert bench.printer.job().is_ready


def test_wrong_key(bench: Bench) -> None:
    with pytest.raises(PrinterError, match="key") as refused:
        bench.with_key("wrong-secret").who()
    assert was_answered(refused.value)
    assert "wrong-secret" not in str(refused.value)


def test_upload_tells_progress_and_never_overwrites(bench: Bench, tmp_path: Path) -> None:
    path, printer = tmp_path / "upload.gcode", bench.printer
    name = f"{tmp_path.name}.gcode"
    write_gcode(path, extra="; filler\n" * 100_000)
    size, told = path.stat().st_size, list[tuple[int, int]]()
    assert printer.file(name) is None
    assert printer.upload(path, name, lambda *step: told.append(step))
    assert told[-1] == (size, size)
    assert len(told) > 3
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    stored = printer.file(name)
    assert stored is not None
    assert (stored.size_bytes, stored.prints_done, stored.prints_failed) == (size, 0, 0)
    assert (stored.last_succeeded, stored.last_told) == (None, "")
    content = path.read_bytes()
    assert stored.sha1 in (None, hashlib.sha1(content).hexdigest())
    assert stored.sha256 in (None, hashlib.sha256(content).hexdigest())
    tells = "tells a hash" in printer.abilities
    assert tells == bool(stored.sha1 or stored.sha256)

    path.write_text("G28\n")
    assert not printer.upload(path, name)
    assert printer.file(name) == stored
    assert printer.job().is_ready


@pytest.mark.parametrize("name", ["a/b.gcode", ".hidden.gcode", "x.stl", "a b.gcode", "ü.gcode"])
def test_upload_only_under_names_that_stay(bench: Bench, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="would change"):
        bench.printer.upload(write_gcode(tmp_path / "x.gcode"), name)


def test_print_to_the_end(bench: Bench, tmp_path: Path) -> None:
    printer = bench.printer
    name = store(bench, tmp_path / "whole.gcode", dwells=8)
    printer.select(name)
    printer.start(name)
    bench.wait("busy")
    job = printer.job()
    assert job.file_name == name
    assert ("tells the position" in printer.abilities) == (job.filepos_bytes is not None)
    assert job.done_share is None or 0 <= job.done_share <= 1
    assert ended(bench, name) == "finished"
    stored = printer.file(name)
    assert stored is not None
    history = "keeps a history" in printer.abilities
    assert (stored.prints_done, stored.prints_failed) == (int(history), 0)
    assert (stored.last_print_time_s is not None) == history


def test_busy_printer_refuses_a_start(bench: Bench, tmp_path: Path) -> None:
    printer = bench.printer
    first = store(bench, tmp_path / "first.gcode", dwells=80)
    second = store(bench, tmp_path / "second.gcode")
    printer.start(first)
    bench.wait("busy")
    for phase in ("busy", "paused"):
        if phase == "paused":
            printer.pause()
            bench.wait("paused")
        with pytest.raises(PrinterError) as refused:
            printer.start(second)
        assert was_answered(refused.value)
        assert printer.job().file_name == first
    printer.cancel()
    assert ended(bench, first) in ("cancelled", "failed")
    stored = printer.file(second)
    assert stored is not None
    assert stored.prints_done + stored.prints_failed == 0


def test_pause_resume_and_cancel(bench: Bench, tmp_path: Path) -> None:
    printer = bench.printer
    name = store(bench, tmp_path / "paused.gcode", dwells=80)
    printer.start(name)
    bench.wait("busy")
    printer.pause()
    bench.wait("paused")
    assert printer.job().file_name == name
    printer.resume()
    bench.wait("busy")
    printer.cancel()
    bench.wait("ready", "offline")
    # OctoPrint's history does not know why; its push channel does
    expected = ("failed",) if isinstance(bench, OctoPrintBench) else ("cancelled",)
    assert ended(bench, name) in expected


def test_what_is_refused_when_nothing_prints(bench: Bench) -> None:
    printer = bench.printer
    acts: list[Callable[[], None]] = [printer.cancel, lambda: printer.start("nothing-there.gcode")]
    if not isinstance(bench, OctoPrintBench):  # it takes a pause of nothing for done
        acts += [printer.pause, printer.resume]
    for act in acts:
        with pytest.raises(PrinterError) as refused:
            act()
        assert was_answered(refused.value)
        assert printer.job().is_ready


def test_print_that_fails(bench: Bench, tmp_path: Path) -> None:
    name = store(bench, tmp_path / "fails.gcode", dwells=40, extra=bench.fault_line)
    bench.printer.start(name)
    bench.wait("busy", "offline")
    bench.break_down()
    bench.wait("offline")
    assert bench.printer.job().error or isinstance(bench, PrusaLinkBench)
    assert ended(bench, name) == "failed"


def test_printer_that_is_offline(bench: Bench, tmp_path: Path) -> None:
    name = store(bench, tmp_path / "offline.gcode")
    bench.take_offline()
    bench.wait("offline")
    assert not bench.printer.job().is_busy
    with pytest.raises(PrinterError) as refused:
        bench.printer.start(name)
    assert was_answered(refused.value)
    bench.make_ready()
    assert bench.printer.job().is_ready


def test_temperatures(bench: Bench) -> None:
    give_up = time.monotonic() + 20
    while not (heaters := bench.printer.heaters()) and time.monotonic() < give_up:
        time.sleep(0.1)  # right after connecting, a board has told none yet
    assert sorted(heater.is_hotend for heater in heaters) == [False, True]
    assert all(heater.actual_c > 0 for heater in heaters)


def test_what_is_pushed(bench: Bench, tmp_path: Path) -> None:
    name = store(bench, tmp_path / "pushed.gcode", dwells=5)
    heard: list[Pushed] = []
    pushes = "pushes" in bench.printer.abilities
    with bench.printer.channel() as channel:
        bench.printer.start(name)
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up:
            heard += channel.read(timeout_s=0.2)
            if any(isinstance(event, Ended) for event in heard):
                break
            if not pushes and bench.printer.job().ended:
                break
    ends = [event for event in heard if isinstance(event, Ended)]
    if pushes:
        assert [(end.file_name, end.state) for end in ends] == [(name, "finished")]
        assert ends[0].print_time_s is not None
    else:
        assert heard == []


def test_firmware_settings(bench: Bench) -> None:
    told = bench.printer.firmware_settings()
    if "tells firmware settings" not in bench.printer.abilities:
        assert told is None


def submit(
    bench: Bench, gcode: Path, progress: Callable[[Progress], None] | None = None
) -> JobRecord:
    return print_once(
        gcode,
        case_code="C-1",
        printer_name="bench",
        printer=bench.printer,
        practice=True,
        silence_limit_s=20,
        progress=progress,
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long because a real printer may."""
    monkeypatch.setattr(watching, "SETTLE_S", 3.0)
    monkeypatch.setattr(watching, "POLL_S", 0.2)
    monkeypatch.setattr(submission, "START_KNOWN_AFTER_S", 5.0)


def test_printed_once(bench: Bench, tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "once.gcode", dwells=10)
    record = submit(bench, gcode)
    assert record.state == "finished"
    bench.make_ready()
    again = submit(bench, gcode)
    assert (again.state, again.started_here) == ("finished", False)


def test_cancelled_while_watched(bench: Bench, tmp_path: Path) -> None:
    cancelled: list[str] = []

    def cancel(progress: Progress) -> None:
        if progress.state.lower() == "printing" and progress.done_bytes and not cancelled:
            cancelled.append(progress.says)
            bench.printer.cancel()

    record = submit(bench, write_gcode(tmp_path / "cancelled.gcode", dwells=80), cancel)
    assert cancelled
    assert record.state == "cancelled"


def test_failing_while_watched(bench: Bench, tmp_path: Path) -> None:
    def break_down(progress: Progress) -> None:
        if progress.state.lower() == "printing" and progress.done_bytes:
            bench.break_down()

    gcode = write_gcode(tmp_path / "failing.gcode", dwells=40, extra=bench.fault_line)
    assert submit(bench, gcode, break_down).state == "failed"


@pytest.mark.parametrize("kind", ["moonraker", "prusalink"])
def test_server_that_dies_while_watched(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))

    with own_bench(kind) as bench:

        def kill(progress: Progress) -> None:
            if progress.state.lower() == "printing" and progress.done_bytes:
                bench.kill()

        record = print_once(
            write_gcode(tmp_path / "killed.gcode", dwells=80),
            case_code="C-1",
            printer_name="bench",
            printer=bench.printer,
            practice=True,
            silence_limit_s=1,
            progress=kill,
        )
    assert record.state == "lost"
    assert record.filepos_bytes is not None
    assert 0 < record.filepos_bytes < record.file_size_bytes
