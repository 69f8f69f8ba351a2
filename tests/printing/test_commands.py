"""``labkit submit``, ``watch``, ``jobs``, ``queue`` and ``dispatch``, as people type them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from labkit.home import home_folder
from labkit.printing.jobs import Register
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.practice import PracticePrinter
from tests.conftest import Typed

from .sliced_case import sliced_case


@pytest.fixture
def practice(server_home: Path, monkeypatch: pytest.MonkeyPatch) -> OctoPrint:
    """The shared practice printer, from its own lab: its name leads to it."""
    monkeypatch.setenv("LABKIT_HOME", str(server_home))
    found = PracticePrinter().attach()
    assert found is not None
    return found


def document(typed: Typed, *words: str | Path) -> Any:
    return json.loads(typed(*words, "--json")[1])


def test_submit_leave_and_watch(practice: OctoPrint, typed: Typed, tmp_path: Path) -> None:
    case = sliced_case(tmp_path / "case", "W-1", dwells=30)
    code, out, err = typed("submit", case.root)
    assert code == 0, err
    assert re.match(r"job [0-9a-f]{10} on practice: printing\. Practice, nothing real", out)
    assert f"next: labkit watch {case.root}" in out
    assert "the file was uploaded" in err and "ours, by size and SHA-1" in err
    assert practice.job().is_busy
    code, out, err = typed("watch", case.root)
    assert code == 0, err
    assert ": finished. " in out
    assert "layer 2 of 2, 0.60 mm" in err
    job = Register().jobs(case_code="W-1")[0]
    assert document(typed, "watch", case.root)["state"] == "finished"  # nothing starts again
    assert document(typed, "submit", case.root)["started_here"] is False
    stored = practice.file(job.file_name)
    assert stored is not None and stored.prints_done == 1
    shown = typed("jobs", "show", job.job_id)[1]
    assert "known: The file on the server was compared with the approved one." in shown
    assert [row["case"] for row in document(typed, "jobs", "--case", "W-1")["jobs"]] == ["W-1"]


def test_watch_can_be_left_by_ctrl_c(practice: OctoPrint, typed: Typed, tmp_path: Path) -> None:
    case = sliced_case(tmp_path / "case", "W-2", dwells=300)
    assert typed("submit", case.root)[0] == 0
    words = [sys.executable, "-m", "labkit", "watch", str(case.root)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as watch:
        assert watch.stderr is not None
        watch.stderr.readline()
        watch.send_signal(signal.SIGINT)
        left = watch.communicate(timeout=30)[1]
    assert watch.returncode == 130
    assert "the job stays as it is" in left
    assert practice.job().is_busy
    practice.cancel()
    assert typed("watch", case.root)[0] == 1  # taken up again: it tells how it ended
    until_idle(practice)


def test_cancel_by_job(practice: OctoPrint, typed: Typed, tmp_path: Path) -> None:
    case = sliced_case(tmp_path / "case", "W-3", dwells=200)
    assert typed("submit", case.root)[0] == 0
    job = Register().jobs(case_code="W-3")[0].job_id
    code, out, err = typed("jobs", "cancel", job)
    assert (code, out) == (0, f"cancel of job {job} on practice\n"), err
    code, out, _ = typed("watch", case.root)
    assert code == 1
    assert ": cancelled. " in out or ": failed. " in out
    until_idle(practice)
    code, _, err = typed("jobs", "cancel", job)
    assert code == 2
    assert "prints nothing of this lab" in err


def until_idle(printer: OctoPrint) -> None:
    give_up = time.monotonic() + 30
    while printer.job().is_busy:
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_lost_job_is_settled_by_who_looked(
    practice: OctoPrint, typed: Typed, tmp_path: Path
) -> None:
    case = sliced_case(tmp_path / "case", "W-4")
    assert typed("submit", case.root, "--attempt", "7")[0] == 0
    assert typed("watch", case.root)[0] == 0
    register = Register()
    job = register.jobs(case_code="W-4")[0].job_id
    assert typed("jobs", "settle", job, "--as", "failed", "--saw", "x")[0] == 2  # it has ended
    with register._transaction() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET state = 'lost' WHERE job_id = '{job}'")
    assert typed("jobs", "settle", job, "--as", "failed", "--saw", " ")[0] == 2
    code, out, _ = typed("jobs", "settle", job, "--as", "failed", "--saw", "the bed is empty")
    assert (code, out) == (0, f"job {job} on practice: failed\n")
    assert "the bed is empty" in register.read(job).history[-1].seen
    code, _, err = typed("jobs", "withdraw", job, "--why", "x")
    assert code == 2 and "a job that was not started yet" in err


def test_queue_and_dispatch(practice: OctoPrint, typed: Typed, tmp_path: Path) -> None:
    cases = [sliced_case(tmp_path / f"case-{n}", f"Q-{n}") for n in range(2)]
    numbers = [
        document(typed, "submit", case.root, "--printer", "any", "--practice")["request"]
        for case in cases
    ]
    rows = {row["request"]: row for row in document(typed, "queue")["requests"]}
    assert [rows[n]["status"] for n in numbers] == ["waiting", "waiting"]
    code, out, _ = typed("queue", "withdraw", str(numbers[1]), "--why", "designed anew")
    assert (code, out) == (0, f"request {numbers[1]}: withdrawn\n")
    code, _, err = typed("dispatch")
    assert code == 0, err
    assert f"request {numbers[0]}: Q-0 goes to here/practice" in err
    assert Register().jobs(case_code="Q-0")[0].state == "finished"
    assert Register().jobs(case_code="Q-1") == []


def test_a_real_print_needs_a_printer_a_lot_and_a_word(
    practice: OctoPrint, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    (home_folder() / "printers.yaml").write_text(
        "bench: {url: 'http://127.0.0.1:9', key_file: k, profile: MK3S}\n"
    )
    case = sliced_case(tmp_path / "case", "R-1", profile="MK3S")
    code, _, err = typed("submit", case.root, "--printer", "bench")
    assert code == 2 and "no approval of this G-code" in err
    code, _, err = typed("submit", case.root, "--printer", "none", "--approved-by", "A. Smith")
    assert code == 2 and "sliced and checked for the printer MK3S" in err
    code, _, err = typed("submit", case.root, "--printer", "any", "--approved-by", "A. Smith")
    assert code == 0, err
    code, out, _ = typed("dispatch")
    assert code == 1
    assert "R-1: waiting. R-1 goes nowhere: no place was asked" in out
    (case.root / "04_slicing" / "part.gcode").write_text("G28\n")
    code, _, err = typed("submit", case.root, "--printer", "any", "--approved-by", "A. Smith")
    assert code == 4 and "not the one in its record" in err
    code, _, err = typed("watch", case.root)
    assert code == 2 and "no job of this case" in err
