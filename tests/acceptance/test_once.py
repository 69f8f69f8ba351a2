"""Two runs at once, and runs killed while printing: one print, and a true record of it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.printing.servers.practice import PracticePrinter
from tests.acceptance.conftest import Lab


@pytest.fixture
def slow_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose practice printer takes its time, so that a print can be killed."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "slow"))
    monkeypatch.setenv("LABKIT_PRACTICE_FEED", "20")
    PracticePrinter().start()
    yield Lab(tmp_path / "slow", tmp_path)
    PracticePrinter().stop()


@pytest.fixture
def sliced(demo: dict[str, Any], lab: Lab, slow_lab: Lab, tmp_path: Path) -> Path:
    """The demo case up to its G-code, and the slow lab with the keys that signed it."""
    case = tmp_path / "sliced"
    shutil.copytree(demo["case"], case)
    for stage in ("05_printing", "06_inspection", "07_traceability"):
        shutil.rmtree(case / stage)
        for link in (case / "evidence").glob(f"{stage}.*.link"):
            link.unlink()
    (case / "evidence" / "root.layout").unlink()
    shutil.copytree(lab.home / "keys", slow_lab.home / "keys", dirs_exist_ok=True)
    return case


def _start(lab: Lab, case: Path) -> "subprocess.Popen[str]":
    words = [str(word) for word in lab.command("run", case, "05", "--json")]
    return subprocess.Popen(
        words,
        env=lab.environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_until_printing(lab: Lab) -> None:
    """Until OctoPrint itself says that it prints."""
    printer = PracticePrinter().attach()
    assert printer is not None
    limit = time.monotonic() + 60
    while not printer.job().is_busy:
        assert time.monotonic() < limit, "the print did not start"
        time.sleep(0.2)


def _kill(running: "subprocess.Popen[str]") -> None:
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    time.sleep(1)  # the kernel notices that its parent is gone


def _states(case: Path) -> list[str]:
    job = json.loads((case / "05_printing" / "job.json").read_text())
    return [step["state"] for step in job["history"]]


def test_a_run_killed_while_printing_is_followed_by_the_next(sliced: Path, slow_lab: Lab) -> None:
    for _ in range(2):
        running = _start(slow_lab, sliced)
        _wait_until_printing(slow_lab)
        _kill(running)
        assert not (sliced / "05_printing").exists()
    done = slow_lab.labkit("run", sliced, "05")
    assert done.exit_code == 0, done.errors
    job = json.loads((sliced / "05_printing" / "job.json").read_text())
    assert job["state"] == "finished"
    assert job["started_here"] is False
    assert _states(sliced).count("starting") == 1
    printer = PracticePrinter().attach()
    assert printer is not None
    stored = printer.file(job["file_name"])
    assert stored is not None
    assert stored.prints_done + stored.prints_failed == 1


def test_of_two_runs_at_once_one_prints(sliced: Path, slow_lab: Lab) -> None:
    first = _start(slow_lab, sliced)
    _wait_until_printing(slow_lab)
    second = slow_lab.labkit("run", sliced, "05")
    assert second.exit_code == 2
    assert "another run is at work on this case" in second.errors
    output, errors = first.communicate(timeout=300)
    assert first.returncode == 0, errors
    assert json.loads(output)["stages"][0]["verdict"] == "pass"
    assert _states(sliced).count("starting") == 1
