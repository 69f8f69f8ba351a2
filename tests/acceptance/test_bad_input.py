"""Bad input and missing tools: one clear paragraph, the right exit code, nothing half-written."""

import contextlib
import json
import shutil
import signal
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.case import STAGES, Case
from labkit.files import hashes_below, write_whole
from labkit.processes import Finished, run
from tests.acceptance.conftest import Lab
from tests.conftest import SAMPLE


def _one_paragraph(done: Finished, exit_code: int, *words: str) -> None:
    assert done.exit_code == exit_code, done.errors
    said = [line for line in done.errors.splitlines() if line.startswith("Found: ")]
    assert len(said) == 1, done.errors
    assert "Traceback" not in done.errors + done.output
    assert "Expected: " in said[0]
    assert "Do next: " in said[0]
    for word in words:
        assert word in said[0]


def _nothing_half_written(case: Path, *finished: str) -> None:
    assert {path.name for path in case.iterdir()} == {"order.yaml", "evidence", *finished}


@pytest.fixture
def case(lab: Lab, tmp_path: Path) -> Path:
    return lab.new(tmp_path.name)


def test_an_empty_folder(lab: Lab, case: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = lab.labkit("run", case, "--source", tmp_path / "empty")
    _one_paragraph(done, 2, "an empty folder")
    _nothing_half_written(case)


def test_a_folder_of_texts_named_after_a_patient(lab: Lab, case: Path, tmp_path: Path) -> None:
    write_whole(tmp_path / "DOE_JOHN" / "letter.txt", "Dear colleague")
    done = lab.labkit("run", case, "--source", tmp_path / "DOE_JOHN")
    _one_paragraph(done, 2, "no DICOM image among")
    assert "DOE" not in done.errors
    _nothing_half_written(case)
    kept = list((case / "evidence" / "failed").glob("01_scan-*.ipynb"))
    assert len(kept) == 1
    assert "DOE" not in kept[0].read_text()


def test_a_truncated_image(lab: Lab, case: Path, tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "ct")
    image = sorted((tmp_path / "ct").iterdir())[20]
    image.write_bytes(image.read_bytes()[:-5000])
    done = lab.labkit("run", case, "--source", tmp_path / "ct")
    _one_paragraph(done, 2, "cannot be read")
    _nothing_half_written(case)


def test_no_source_and_no_case(lab: Lab, case: Path) -> None:
    _one_paragraph(lab.labkit("run", case), 2, "no source")
    _one_paragraph(lab.labkit("run", case / "nosuch"), 2, "no file order.yaml")
    _one_paragraph(lab.labkit("verify", case / "nosuch"), 2, "no such folder")
    _one_paragraph(lab.labkit("verify", lab.home), 4, "nothing here is signed")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-p", "segmentation.thresold_hu=250"], "thresold_hu"),
        (["-p", "segmentation.threshold_hu=9999"], "threshold_hu = 9999"),
        (["-p", "billing.price=1"], "no stage 'billing'"),
        (["-p", "segmentation.threshold_hu=="], "threshold_hu = '='"),
        (["-p", "segmentation.structure=["], "structure = '['"),
        (["-p", "inspection.measurements_csv=/no/such.csv"], "measurements_csv that is named"),
        (["04_slicing"], "01_scan: to do"),
        (["-p", "threshold_hu"], "-p threshold_hu"),
        (["09_billing"], "no stage '09_billing'"),
        (["--procedure", "nosuch"], "no procedure 'nosuch'"),
        (["--nosuch"], "--nosuch"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_runs(
    lab: Lab, case: Path, words: list[str], found: str
) -> None:
    before = sorted(path.name for path in case.iterdir())
    _one_paragraph(lab.labkit("run", case, *words), 2, found)
    assert [name for name in before if name != "evidence"] == ["order.yaml"]


def test_an_error_as_json_is_one_document(lab: Lab, case: Path) -> None:
    done = lab.labkit("run", case, "--json")
    error = json.loads(done.output)["error"]
    assert error["type"] == "ScanError"
    assert set(error) == {"type", "found", "expected", "where", "fix"}


def test_no_slicer(finished: Path, lab: Lab) -> None:
    words = ["-p", "slicing.layer_height_mm=0.25"]
    done = lab.labkit("run", finished, *words, PRUSA_SLICER="/nowhere/prusa-slicer")
    _one_paragraph(done, 3, "PRUSA_SLICER names")
    _nothing_half_written(finished, *STAGES)


def _sliced_for(lab: Lab, case: Path, printer: str) -> list[str]:
    """Slice the case for a printer of that name; the words of its approval."""
    own = files("labkit.equipment") / "printers" / "practice.yaml"
    profile = yaml.safe_load(own.read_text(encoding="utf-8")) | {"name": printer}
    write_whole(lab.home / "profiles" / "printers" / f"{printer}.yaml", yaml.safe_dump(profile))
    sliced = lab.labkit("run", case, "04", "-p", f"slicing.printer={printer}")
    assert sliced.exit_code == 0, sliced.errors
    digest = json.loads(Case(case).product("04_slicing", "gcode.json").read_text())["sha256"]
    return [f"-pprinting.approved_sha256={digest}", "-pprinting.approved_by=Dr A. Example"]


def test_no_such_printer_none_at_its_address_and_a_wrong_key(finished: Path, lab: Lab) -> None:
    def run_on(printer: str, *words: str) -> Finished:
        return lab.labkit("run", finished, "05", "-p", f"printing.printer={printer}", *words)

    _one_paragraph(run_on("bench"), 2, "sliced and checked for the printer practice")
    approved = _sliced_for(lab, finished, "bench")
    _one_paragraph(run_on("bench"), 2, "no approval of this")
    _one_paragraph(run_on("bench", approved[0]), 2, "without a name")
    _one_paragraph(run_on("bench", *approved), 2, "no printer 'bench'")
    write_whole(lab.home / "bench.key", "k" * 32, mode=0o600)
    practice = json.loads((lab.home / "practice" / "server.json").read_text())["url"]
    for url, word in (("http://127.0.0.1:9", "127.0.0.1:9"), (practice, "key")):
        entry = f"bench: {{url: '{url}', key_file: bench.key}}\n"
        write_whole(lab.home / "printers.yaml", entry)
        refused = run_on("bench", *approved)
        _one_paragraph(refused, 3, word)
        assert "k" * 32 not in refused.errors
    _nothing_half_written(finished, *STAGES, "04_slicing.r2")


def test_a_full_disk(lab: Lab, case: Path) -> None:
    """A limit on the size of a file stands for the full disk: the write fails half-way."""
    words = [str(word) for word in lab.command("run", case, "--source", SAMPLE)]
    limited = ["sh", "-c", 'ulimit -f 4000; exec "$@"', "sh", *words]
    done = run(limited, environment=lab.environment({}), timeout_s=300)
    _one_paragraph(done, 3, "the disk is full", "volume.nrrd")
    _nothing_half_written(case)


def test_an_interrupt_leaves_nothing_half_written(lab: Lab, case: Path) -> None:
    words = [str(word) for word in lab.command("run", case, "--source", SAMPLE)]
    with subprocess.Popen(
        words, env=lab.environment({}), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "01_scan: 4/" in line:
                running.send_signal(signal.SIGINT)
                break
        said = running.stderr.read()
        assert running.wait(60) == 130
    assert "interrupted" in said
    _nothing_half_written(case)


def _marked(mark: str) -> dict[int, str]:
    """The programs that were started with a mark in their environment: id and command."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for programs in /proc")
@pytest.mark.parametrize(
    ("until", "decision", "program"),
    [
        ("02_segmentation: 4/", "segmentation.threshold_hu=310", "ipykernel"),
        ("03_design: 4/", "design.scale=0.9", "ipykernel"),
        ("04_slicing: 4/", "slicing.layer_height_mm=0.1", "--export-gcode"),
    ],
)
def test_a_stage_that_is_cancelled_leaves_the_case_as_it_was_and_no_program(
    finished: Path, lab: Lab, tmp_path: Path, until: str, decision: str, program: str
) -> None:
    before = hashes_below(finished, relative_to=finished)
    rooms = tmp_path / "temporary"
    rooms.mkdir()
    mark = f"MARK={tmp_path}"  # the slicer sees nothing of LABKIT_…
    told = lab.environment({"MARK": str(tmp_path), "TMPDIR": str(rooms)})
    words = [str(word) for word in lab.command("run", finished, until[:2], "-p", decision)]
    with subprocess.Popen(
        words, env=told, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stderr is not None
        assert any(until in line for line in running.stderr)
        give_up = time.monotonic() + 30
        while not any(program in command for command in _marked(mark).values()):
            assert time.monotonic() < give_up, f"{program} did not start"
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        assert "interrupted" in running.stderr.read()
        assert running.wait(60) == 130
    assert _marked(mark) == {}
    assert list(rooms.iterdir()) == []  # a slicer's holds the part
    after = hashes_below(finished, relative_to=finished)
    assert {name: digest for name, digest in after.items() if name in before} == before
    assert after.keys() - before.keys() <= {"evidence/run.lock"}


def test_no_server_and_no_slicer_are_named_by_the_doctor(lab: Lab) -> None:
    done = lab.labkit(
        "doctor", "--json", PRUSA_SLICER="/nowhere/slicer", LABKIT_OCTOPRINT="/nowhere/octoprint"
    )
    tools: dict[str, Any] = {row["tool"]: row for row in json.loads(done.output)["tools"]}
    assert done.exit_code == 3
    for name in ("PrusaSlicer", "practice OctoPrint"):
        assert tools[name]["state"] == "missing"
        assert tools[name]["fix"]
