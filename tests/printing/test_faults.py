"""What becomes of a print when the printer fails; on a real OctoPrint, by its own faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.printing.record import JobRecord
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.watching import Progress

from .administrator import Administrator
from .conftest import NEXT_VERSION, with_both_servers
from .gcode import write_gcode
from .test_print_once import prints_of, submit

RUNAWAY = "Thermal Runaway, system stopped! Heater_ID: bed"
FAULTS: list[tuple[str, str, str]] = [
    ("trigger_fatal_error_marlin", "failed", RUNAWAY),
    ("trigger_fatal_error_repetier", "failed", "Heater/sensor error - Printer stopped"),
    ("maxtemp_error", "failed", "MAXTEMP triggered!"),
    ("send Error:Heating failed, system stopped! Heater_ID: 0", "failed", "Heating failed"),
    ("toggle_klipper_connection", "failed", "Lost communication with MCU"),
    ("action_disconnect", "failed", "the printer disconnected"),
    ("drop_connection", "failed", "the server lost its line to the printer"),
    ("reset", "failed", "the printer's board started anew"),
    ("send // action:cancel", "cancelled", "cancelled at the printer"),
    ("trigger_resend_checksum", "finished", "the server reported the end"),
    ("trigger_missing_checksum", "finished", "the server reported the end"),
]
ALIKE = {"trigger_fatal_error_marlin", "action_disconnect", "reset", "send // action:cancel"}
"""Tried on the OctoPrint that is to come, too."""


def printed_with(
    fault: str, printer: OctoPrint, administrator: Administrator, gcode: Path, limit_s: float = 20
) -> tuple[JobRecord, list[str]]:
    """The record of a print into which a fault came, and what was told meanwhile."""
    told: list[str] = []

    def inject(progress: Progress) -> None:
        if progress.state == "Printing" and progress.done_bytes:
            if not told:
                administrator.inject(fault)
            told.append(progress.says)

    record = submit(gcode, printer, silence_limit_s=limit_s, progress=inject)
    assert told, "the print was over before the fault"
    return record, told


@pytest.mark.parametrize(
    ("version", "fault", "state", "words"),
    [("1.11.8", *case) for case in FAULTS]
    + [(NEXT_VERSION, *case) for case in FAULTS if case[0] in ALIKE],
)
def test_fault_ends_in_its_state_with_its_reason(
    printer: OctoPrint,
    administrator: Administrator,
    tmp_path: Path,
    fault: str,
    state: str,
    words: str,
) -> None:
    gcode = write_gcode(tmp_path / f"{fault.partition(':')[0]}.gcode", dwells=25)
    record, _ = printed_with(fault, printer, administrator, gcode)
    last = record.history[-1].seen
    assert record.state == state
    assert words in last
    if state == "finished":
        assert record.filepos_bytes == record.file_size_bytes
    else:
        assert record.filepos_bytes is not None
        assert f"at byte {record.filepos_bytes} of {record.file_size_bytes}" in last
        assert 0 < record.filepos_bytes < record.file_size_bytes
        assert any("never started again by itself" in sentence for sentence in record.known)

    again = submit(gcode, printer)
    assert (again.state, again.started_here) == (state, False)
    assert prints_of(printer, record.file_name) == 1


@with_both_servers
def test_printer_that_asks_for_a_pause_waits_for_a_person(
    printer: OctoPrint, administrator: Administrator, tmp_path: Path
) -> None:
    gcode = write_gcode(tmp_path / "pause.gcode", dwells=25)
    told: list[str] = []

    def answer(progress: Progress) -> None:
        if progress.state == "Printing" and progress.done_bytes and not told:
            administrator.inject("action_pause")
            told.append("asked")
        elif progress.state == "Paused" and "resumed" not in told:
            printer.resume()
            told.append("resumed")

    record = submit(gcode, printer, progress=answer)
    assert record.state == "finished"
    assert told == ["asked", "resumed"]
    assert any(moment.seen.startswith("paused, at byte") for moment in record.history)
    assert any(moment.seen.startswith("resumed, at byte") for moment in record.history)


@contextmanager
def patience(administrator: Administrator, limit_s: float) -> Iterator[None]:
    """The server waits only so long for an answer of its printer, instead of 30 s."""
    administrator.serial({"timeoutCommunication": limit_s, "maxTimeoutsPrinting": 2})
    try:
        yield
    finally:
        administrator.serial({"timeoutCommunication": 30, "maxTimeoutsPrinting": 5})


@pytest.mark.parametrize(
    ("version", "fault", "state", "words"),
    [
        ("1.11.8", "dont_answer", "finished", "the server reported the end"),
        ("1.11.8", "go_awol", "failed", "Too many consecutive timeouts"),
    ],
)
def test_silent_printer_is_told_and_nothing_is_stopped(
    printer: OctoPrint,
    administrator: Administrator,
    tmp_path: Path,
    fault: str,
    state: str,
    words: str,
) -> None:
    gcode = write_gcode(tmp_path / f"{fault}.gcode", dwells=25)
    with patience(administrator, 3):
        record, told = printed_with(fault, printer, administrator, gcode, limit_s=2)
    assert record.state == state
    assert words in record.history[-1].seen
    alarms = [says for says in told if says.startswith("ALARM")]
    assert len(alarms) == 1
    assert "no movement for 2 s, at byte" in alarms[0]
    assert alarms[0].endswith("look at the printer")
    assert any("ALARM: no movement for 2 s" in sentence for sentence in record.known)
    assert any("moves again" in moment.seen for moment in record.history) == (state == "finished")
    assert submit(gcode, printer).state == state
    assert prints_of(printer, record.file_name) == 1
