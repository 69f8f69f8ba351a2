"""Printed at most once, whatever dies; against a real OctoPrint."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.errors import InputError, PrinterError
from labkit.printing import submission
from labkit.printing.jobs import Job, Register, planned_job
from labkit.printing.record import JobRecord
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.octoprint_push import OctoPrintChannel
from labkit.printing.servers.practice import PracticePrinter
from labkit.printing.submission import print_once
from labkit.printing.watching import Progress

from .conftest import NEXT_VERSION, with_both_servers
from .gcode import write_gcode

CLIENT = Path(__file__).with_name("client.py")


def submit(
    gcode: Path,
    printer: OctoPrint,
    *,
    silence_limit_s: float = 20,
    attempt: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> JobRecord:
    return print_once(
        gcode,
        case_code="C-1",
        printer_name="practice",
        printer=printer,
        practice=True,
        attempt=attempt,
        silence_limit_s=silence_limit_s,
        progress=progress,
    )


def planned(gcode: Path) -> Job:
    return planned_job(gcode, case_code="C-1", printer_name="practice", attempt=1, practice=True)


def prints_of(printer: OctoPrint, name: str) -> int:
    """How often the server printed a file, by its own history, once it is idle."""
    give_up = time.monotonic() + 30
    while printer.job().is_busy:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    stored = printer.file(name)
    return 0 if stored is None else stored.prints_done + stored.prints_failed


def start_client(printer: OctoPrint, gcode: Path, point: str) -> "subprocess.Popen[str]":
    key = str(printer._session.headers["X-Api-Key"])
    return subprocess.Popen(
        [sys.executable, str(CLIENT), printer.url, key, str(gcode), point],
        stdout=subprocess.PIPE,
        text=True,
    )


def states(record: JobRecord) -> list[str]:
    return list(dict.fromkeys(moment.state for moment in record.history))


@with_both_servers
def test_prints_once_and_then_only_reports(
    printer: OctoPrint, tmp_path: Path, version: str
) -> None:
    gcode = write_gcode(tmp_path / "once.gcode", dwells=5)
    told: list[Progress] = []
    first = submit(gcode, printer, progress=told.append)
    assert first.state == "finished"
    assert first.started_here
    assert states(first) == [
        "planned", "approved", "uploaded", "verified", "starting", "printing", "finished",
    ]  # fmt: skip
    assert first.server_version == version
    compared = "size" if version == NEXT_VERSION else "size and SHA-1"
    assert f"the file on the server is ours, by {compared}" in [line.seen for line in first.history]
    assert first.filepos_bytes == gcode.stat().st_size
    assert first.print_time_s is not None
    assert 0.3 < first.print_time_s < 20
    assert first.summary == "Practice, nothing real was printed. Printed to the end."
    assert told[-1].state == "finished"
    assert max(progress.done_percent for progress in told) == 100.0

    nowhere = OctoPrint("http://127.0.0.1:9", "key")  # a job that ended needs no printer
    second = submit(gcode, nowhere)
    assert second == first.model_copy(update={"started_here": False})
    assert prints_of(printer, first.file_name) == 1
    assert json.loads(json.dumps(first.as_dict()))["schema"] == "labkit/job/2"


def test_next_attempt_prints_again_under_another_name(printer: OctoPrint, tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "again.gcode")
    first, second = submit(gcode, printer), submit(gcode, printer, attempt=2)
    assert first.file_name != second.file_name
    assert [prints_of(printer, r.file_name) for r in (first, second)] == [1, 1]


def test_processes_at_once_start_one_print(printer: OctoPrint, tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "race.gcode", dwells=10)
    clients = [start_client(printer, gcode, "never") for _ in range(3)]
    records = [json.loads(client.communicate(timeout=60)[0]) for client in clients]
    assert [record["state"] for record in records] == ["finished"] * 3
    assert sum(record["started_here"] for record in records) == 1
    assert prints_of(printer, records[0]["file_name"]) == 1


@pytest.mark.parametrize(
    ("point", "left", "ends"),
    [
        ("before upload", "approved", "finished"),
        ("after upload", "approved", "finished"),
        ("before select", "verified", "finished"),
        ("before start", "starting", "lost"),
        ("after start", "starting", "finished"),
        ("printing", "printing", "finished"),
    ],
)
@with_both_servers
def test_killed_client_and_again(
    printer: OctoPrint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    left: str,
    ends: str,
) -> None:
    monkeypatch.setattr(submission, "START_KNOWN_AFTER_S", 2.0)
    gcode = write_gcode(tmp_path / f"{point}.gcode", dwells=15)
    with start_client(printer, gcode, point) as client:
        assert client.wait(60) == -signal.SIGKILL
    job = planned(gcode)
    assert Register().read(job.job_id).state == left
    record = submit(gcode, printer)
    assert record.state == ends
    assert prints_of(printer, job.file_name) == (0 if ends == "lost" else 1)
    again = submit(gcode, printer)
    assert (again.state, again.started_here) == (ends, False)
    assert prints_of(printer, job.file_name) == (0 if ends == "lost" else 1)
    if ends == "lost":
        assert again.not_known[0] == "Whether the printer began, went on or stopped."


@with_both_servers
def test_lost_job_is_cleared_up_when_the_server_shows_more(
    printer: OctoPrint, tmp_path: Path
) -> None:
    gcode = write_gcode(tmp_path / "cleared.gcode", dwells=10)
    job = Register().plan(planned(gcode))
    Register().advance(job.job_id, "lost", "no answer", only_from=("planned",))
    printer.upload(gcode, job.file_name)
    assert submit(gcode, printer).state == "lost"
    printer.start(job.file_name)  # what a start that arrived late would do
    record = submit(gcode, printer)
    assert (record.state, record.started_here) == ("finished", False)
    assert prints_of(printer, job.file_name) == 1


def test_print_of_a_forgotten_register_is_not_repeated(
    printer: OctoPrint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcode = write_gcode(tmp_path / "forgotten.gcode")
    first = submit(gcode, printer)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "another lab"))
    second = submit(gcode, printer)
    assert (second.state, second.started_here) == ("finished", False)
    assert prints_of(printer, first.file_name) == 1


def test_interrupt_leaves_the_print_and_the_next_call_follows_it(
    printer: OctoPrint, tmp_path: Path
) -> None:
    gcode = write_gcode(tmp_path / "interrupted.gcode", dwells=15)
    told: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        told.append(progress)
        if progress.state == "Printing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        submit(gcode, printer, progress=interrupt)
    assert "run again to follow it" in told[-1].says
    assert Register().read(planned(gcode).job_id).state == "printing"
    assert printer.job().is_busy
    record = submit(gcode, printer)
    assert (record.state, record.started_here) == ("finished", False)
    assert prints_of(printer, record.file_name) == 1


@with_both_servers
def test_pause_does_not_end_it_and_cancel_does(printer: OctoPrint, tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "cancelled.gcode", dwells=80)
    done: list[str] = []

    def intervene(progress: Progress) -> None:
        if progress.state == "Printing" and progress.done_bytes and not done:
            printer.pause()
            done.append("paused")
        elif progress.state == "Paused" and done == ["paused"]:
            printer.resume()
            done.append("resumed")
        elif progress.state == "Printing" and done == ["paused", "resumed"]:
            printer.cancel()
            done.append("cancelled")

    record = submit(gcode, printer, progress=intervene)
    assert done == ["paused", "resumed", "cancelled"]
    assert record.state == "cancelled"
    assert record.filepos_bytes is not None
    assert 0 < record.filepos_bytes < record.file_size_bytes
    assert submit(gcode, printer).state == "cancelled"
    assert prints_of(printer, record.file_name) == 1


@with_both_servers
def test_without_the_push_channel_asking_is_enough(
    printer: OctoPrint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OctoPrintChannel, "_open", lambda self: False)
    assert submit(write_gcode(tmp_path / "polled.gcode", dwells=15), printer).state == "finished"

    def cancel(progress: Progress) -> None:
        if progress.state == "Printing" and progress.done_bytes:
            printer.cancel()

    record = submit(write_gcode(tmp_path / "polled 2.gcode", dwells=80), printer, progress=cancel)
    assert record.state == "failed"
    assert "it failed or was cancelled" in record.history[-1].seen


@with_both_servers
def test_error_of_the_firmware_is_told(printer: OctoPrint, tmp_path: Path) -> None:
    fault = "!!DEBUG:trigger_fatal_error_marlin"
    record = submit(write_gcode(tmp_path / "fault.gcode", dwells=40, extra=fault), printer)
    assert record.state == "failed"
    assert "Thermal Runaway" in record.history[-1].seen
    assert "raise the attempt number" in record.known[-1]
    with pytest.raises(PrinterError, match="not ready: Offline after error"):
        submit(write_gcode(tmp_path / "next.gcode"), printer)


@with_both_servers
def test_busy_printer_starts_nothing_and_the_job_can_come_later(
    printer: OctoPrint, tmp_path: Path
) -> None:
    other = write_gcode(tmp_path / "other.gcode", dwells=10)
    printer.upload(other, "somebody-else.gcode")
    printer.start("somebody-else.gcode")
    gcode = write_gcode(tmp_path / "waits.gcode")
    with pytest.raises(PrinterError, match="not ready: Printing"):
        submit(gcode, printer)
    assert Register().read(planned(gcode).job_id).state == "verified"
    assert prints_of(printer, "somebody-else.gcode") == 1
    assert submit(gcode, printer).state == "finished"


@with_both_servers
def test_refused_start_is_final(
    printer: OctoPrint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_gcode(tmp_path / "intruder.gcode", dwells=5)
    printer.upload(other, "intruder.gcode")
    start = OctoPrint.start

    def start_late(self: OctoPrint, name: str) -> None:
        start(self, "intruder.gcode")
        start(self, name)

    monkeypatch.setattr(OctoPrint, "start", start_late)
    gcode = write_gcode(tmp_path / "refused.gcode")
    record = submit(gcode, printer)
    assert record.state == "failed"
    assert "refused to start" in record.history[-1].seen
    assert "raise the attempt number" in record.known[-1]
    monkeypatch.setattr(OctoPrint, "start", start)
    assert submit(gcode, printer).state == "failed"
    assert prints_of(printer, record.file_name) == 0


@pytest.mark.parametrize(
    ("version", "content"),
    # the next OctoPrint tells no hash
    [("1.11.8", "G28\n"), ("1.11.8", "same size"), (NEXT_VERSION, "G28\n")],
)
def test_other_content_of_our_name_is_not_printed(
    printer: OctoPrint, tmp_path: Path, content: str
) -> None:
    gcode = write_gcode(tmp_path / f"ours {len(content)}.gcode")
    name = planned(gcode).file_name
    if content == "same size":
        content = gcode.read_text().replace("G28", "G29")
    (tmp_path / "theirs.gcode").write_text(content)
    assert printer.upload(tmp_path / "theirs.gcode", name)
    with pytest.raises(PrinterError, match="the server holds") as refused:
        submit(gcode, printer)
    assert "raise the attempt" in refused.value.fix
    assert prints_of(printer, name) == 0
    assert submit(gcode, printer, attempt=2).state == "finished"


def test_no_gcode(printer: OctoPrint, tmp_path: Path) -> None:
    (tmp_path / "empty.gcode").touch()
    for name in ("empty.gcode", "missing.gcode"):
        with pytest.raises(InputError, match="no G-code"):
            submit(tmp_path / name, printer)


def test_file_made_again_is_the_same_job_but_not_silently_mixed(
    printer: OctoPrint, tmp_path: Path
) -> None:
    gcode = write_gcode(tmp_path / "sliced.gcode")
    Register().plan(planned(gcode))
    gcode.write_text(gcode.read_text().replace("on a day", "on a later day"))
    with pytest.raises(InputError, match="made again since"):
        submit(gcode, printer)


def test_no_server_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    gcode = write_gcode(tmp_path / "nowhere.gcode")
    with pytest.raises(PrinterError, match="no answer from the printer's server"):
        submit(gcode, OctoPrint("http://127.0.0.1:9", "key"))
    assert Register().read(planned(gcode).job_id).state == "approved"


@pytest.fixture
def own(
    server: PracticePrinter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PracticePrinter]:
    """A server that a test may destroy."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    practice = PracticePrinter()
    yield practice
    practice.stop()


def test_killed_server_is_told_as_lost_and_silence_as_alarm(
    own: PracticePrinter, tmp_path: Path
) -> None:
    printer = own.start()
    gcode = write_gcode(tmp_path / "silent.gcode", dwells=5, extra="!!DEBUG:go_awol")
    told: list[str] = []

    def kill_after_alarm(progress: Progress) -> None:
        told.append(progress.says)
        if progress.says.startswith("ALARM"):
            pid = own.state()["pid"]
            assert isinstance(pid, int)
            os.kill(pid, signal.SIGKILL)

    record = submit(gcode, printer, silence_limit_s=2, progress=kill_after_alarm)
    alarms = [says for says in told if says.startswith("ALARM")]
    assert len(alarms) == 1
    assert record.state == "lost"
    assert record.filepos_bytes is not None
    assert 0 < record.filepos_bytes < record.file_size_bytes
    place = f"at byte {record.filepos_bytes} of {record.file_size_bytes}"
    assert record.history[-1].seen.startswith(f"lost contact, {place}: no answer")
    assert any("ALARM: no movement for 2 s" in sentence for sentence in record.known)

    printer = own.start()  # the server comes back, with its files, and knows nothing
    again = submit(gcode, printer)
    assert (again.state, again.started_here) == ("lost", False)
    assert prints_of(printer, record.file_name) == 0
    assert printer.file(record.file_name) is not None


def test_server_that_came_back_during_the_watch_is_told_as_lost(
    own: PracticePrinter, tmp_path: Path
) -> None:
    printer = own.start()
    gcode = write_gcode(tmp_path / "restarted.gcode", dwells=80)
    gone: list[int] = []

    def restart(progress: Progress) -> None:
        if progress.state == "Printing" and progress.done_bytes and not gone:
            pid = own.state()["pid"]
            assert isinstance(pid, int)
            gone.append(pid)
            os.kill(pid, signal.SIGKILL)
            printer.url = own.start().url

    record = submit(gcode, printer, progress=restart)
    assert record.state == "lost"
    assert "it was restarted" in record.history[-1].seen
    assert prints_of(printer, record.file_name) == 0
