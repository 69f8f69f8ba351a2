"""What is PrusaLink's own; against a stand-in after its specification."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.errors import PrinterError
from labkit.printing.servers import prusalink as module
from labkit.printing.servers.messages import RunningJob
from labkit.printing.servers.prusalink import PrusaLink
from labkit.printing.servers.web import was_answered

from .gcode import write_gcode
from .prusalink_stand_in import PrusaLinkStandIn, prusalink
from .stub import Answers, stub

STORAGE: dict[str, tuple[int, object]] = {
    "/api/v1/storage": (200, {"storage_list": [{"path": "/usb", "available": True}]})
}
PLACE = "/api/v1/files/usb/x.gcode"


@pytest.fixture
def server() -> Iterator[PrusaLinkStandIn]:
    with prusalink() as found:
        yield found


@pytest.fixture
def printer(server: PrusaLinkStandIn) -> PrusaLink:
    return PrusaLink(server.url, server.password)


def begin(printer: PrusaLink, path: Path, *, dwells: int) -> None:
    assert printer.upload(write_gcode(path, dwells=dwells), "x.gcode")
    printer.start("x.gcode")


def when(printer: PrusaLink, state: str) -> RunningJob:
    give_up = time.monotonic() + 20
    while (job := printer.job()).state != state:
        assert time.monotonic() < give_up, job
        time.sleep(0.02)
    return job


def test_api_key_instead_of_a_password(server: PrusaLinkStandIn) -> None:
    assert PrusaLink(server.url, server.password, user="").who().user == ""
    with pytest.raises(PrinterError, match="the key is wrong"):
        PrusaLink(server.url, "wrong", user="").who()


def test_another_user(server: PrusaLinkStandIn) -> None:
    with pytest.raises(PrinterError, match="the key is wrong"):
        PrusaLink(server.url, server.password, user="somebody").who()


def test_file_is_sent_once_and_not_started(
    server: PrusaLinkStandIn, printer: PrusaLink, tmp_path: Path
) -> None:
    path = write_gcode(tmp_path / "x.gcode", extra="; filler\n" * 100_000)
    assert printer.upload(path, "x.gcode")
    assert not printer.upload(path, "x.gcode")
    assert server.bodies == [path.stat().st_size]
    assert server.files == {"x.gcode": path.read_bytes()}
    assert printer.job().is_ready  # the stand-in takes any Print-After-Upload for a yes


def test_file_is_sent_again_where_the_nonce_is_stale(
    server: PrusaLinkStandIn, printer: PrusaLink, tmp_path: Path
) -> None:
    server.nonce_uses = 1
    path = write_gcode(tmp_path / "x.gcode", extra="; filler\n" * 100_000)
    told: list[int] = []
    assert printer.upload(path, "x.gcode", lambda sent, size: told.append(sent))
    assert server.bodies == [path.stat().st_size] * 2
    assert server.files["x.gcode"] == path.read_bytes()
    assert told == [*told[: len(told) // 2]] * 2


def test_conflict_that_is_not_about_the_name(tmp_path: Path) -> None:
    answers: Answers = {**STORAGE, f"PUT {PLACE}": (409, {"text": "Storage does not exist"})}
    with (
        stub(answers) as server,
        pytest.raises(PrinterError, match="Storage does not exist") as refused,
    ):
        PrusaLink(server.url, "key").upload(write_gcode(tmp_path / "x.gcode"), "x.gcode")
    assert was_answered(refused.value)


def test_no_drive_in_the_printer(server: PrusaLinkStandIn, printer: PrusaLink) -> None:
    server.has_storage = False
    with pytest.raises(PrinterError, match="no storage") as refused:
        printer.file("x.gcode")
    assert "USB" in refused.value.fix
    server.has_storage = True
    assert printer.file("x.gcode") is None


def test_file_that_the_printer_renamed() -> None:
    known = {"name": "X~1.GCO", "display_name": "X-other.gcode", "size": 3}
    with (
        stub({**STORAGE, PLACE: (200, known)}) as server,
        pytest.raises(PrinterError, match=r"calls the file 'X-other\.gcode'"),
    ):
        PrusaLink(server.url, "key").file("x.gcode")


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ({"api": "2.0.0", "server": "2.1.2", "text": "PrusaLink"}, "API 2.0.0"),
        (
            {"api": "2.0.0", "server": "0.8.1", "text": "PrusaLink 0.8.1", "firmware": "3.14.1"},
            "API 2.0.0, server 0.8.1, firmware 3.14.1",
        ),
    ],
)
def test_versions(told: dict[str, object], version: str) -> None:
    able = {**told, "capabilities": {"upload-by-put": True}}
    with stub({"/api/version": (200, able)}) as server:
        assert PrusaLink(server.url, "key").who().version == version
    with (
        stub({"/api/version": (200, told)}) as server,
        pytest.raises(PrinterError, match="without the API v1"),
    ):
        PrusaLink(server.url, "key").who()


def test_next_print_waits_for_a_clear_bed(
    server: PrusaLinkStandIn, printer: PrusaLink, tmp_path: Path
) -> None:
    begin(printer, tmp_path / "x.gcode", dwells=2)
    assert printer.job().remaining_s is not None
    job = when(printer, "FINISHED")
    assert (job.phase, job.ended, job.file_name) == ("offline", "finished", "x.gcode")
    assert "take it off" in job.error
    with pytest.raises(PrinterError, match="take it off") as refused:
        printer.start("x.gcode")
    assert was_answered(refused.value)
    assert printer.job().state == "FINISHED"
    server.clear_bed()
    job = printer.job()
    assert (job.phase, job.ended, job.file_name) == ("ready", None, None)
    printer.start("x.gcode")


@pytest.mark.parametrize("long_ago", [False, True])
def test_end_is_of_the_print_that_was_seen_just_before(
    printer: PrusaLink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long_ago: bool
) -> None:
    begin(printer, tmp_path / "x.gcode", dwells=5)
    assert printer.job().file_name == "x.gcode"
    printer.cancel()
    if long_ago:
        monkeypatch.setattr(module, "SEEN_LIMIT_S", 0.0)
    for _ in range(2):
        job = printer.job()
        assert (job.state, job.ended) == ("STOPPED", "cancelled")
        assert job.file_name == (None if long_ago else "x.gcode")


def test_end_of_a_print_that_nobody_saw(
    server: PrusaLinkStandIn, printer: PrusaLink, tmp_path: Path
) -> None:
    begin(printer, tmp_path / "x.gcode", dwells=0)
    when(printer, "FINISHED")
    job = PrusaLink(server.url, server.password).job()
    assert (job.ended, job.file_name) == ("finished", None)


def test_error_is_of_a_print_only_if_one_went_on(
    server: PrusaLinkStandIn, printer: PrusaLink, tmp_path: Path
) -> None:
    server.break_down()
    assert (printer.job().phase, printer.job().ended) == ("offline", None)
    server.clear_bed()
    begin(printer, tmp_path / "x.gcode", dwells=50)
    assert printer.job().is_busy
    server.break_down()
    for _ in range(2):
        job = printer.job()
        assert (job.phase, job.ended, job.file_name) == ("offline", "failed", "x.gcode")


def test_printer_that_waits_for_somebody(
    server: PrusaLinkStandIn, printer: PrusaLink, tmp_path: Path
) -> None:
    server.attention = True
    job = printer.job()
    assert (job.phase, job.state) == ("offline", "ATTENTION")
    server.attention = False
    begin(printer, tmp_path / "x.gcode", dwells=50)
    server.attention = True
    job = printer.job()
    assert (job.phase, job.file_name) == ("paused", "x.gcode")
    assert "look at its display" in job.error


def test_busy_is_a_print_only_if_one_went_on(
    server: PrusaLinkStandIn, printer: PrusaLink, tmp_path: Path
) -> None:
    server.is_busy = True
    assert printer.job().phase == "offline"
    server.is_busy = False
    begin(printer, tmp_path / "x.gcode", dwells=50)
    assert printer.job().is_busy
    server.is_busy = True  # it recovers from a crash: no job is shown
    for _ in range(2):
        job = printer.job()
        assert (job.phase, job.state, job.file_name) == ("busy", "BUSY", "x.gcode")


def test_job_that_is_still_shown_after_its_end() -> None:
    file = {"name": "X~1.GCO", "display_name": "x.gcode"}
    shown = {"id": 7, "state": "FINISHED", "progress": 100.0, "time_printing": 61, "file": file}
    fault = {"ok": False, "message": "Thermal runaway"}
    status = {"printer": {"state": "FINISHED", "status_printer": fault}}
    with stub({"/api/v1/job": (200, shown), "/api/v1/status": (200, status)}) as server:
        job = PrusaLink(server.url, "key").job()
    assert (job.phase, job.ended, job.file_name) == ("offline", "finished", "x.gcode")
    assert (job.print_time_s, job.done_share) == (61, 1.0)
    assert job.error.endswith("Thermal runaway")


def test_no_camera(server: PrusaLinkStandIn, printer: PrusaLink) -> None:
    server.has_camera = False
    assert printer.picture() is None
