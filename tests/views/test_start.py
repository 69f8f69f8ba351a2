"""The first page without a browser: order form, cases, notebooks by hand, practice printers."""

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import papermill
import pytest

from labkit.case import Case, Order
from labkit.errors import PrinterError
from labkit.printing.servers.practice import PracticePrinter
from labkit.procedures.by_hand import notebook_for
from labkit.procedures.caseload import caseload
from labkit.procedures.notebooks import notebook_of, source_hash
from labkit.procedures.sample import is_sample, sample_order, sample_scan
from labkit.views import start_practice
from labkit.views.opening import link
from labkit.views.start import DoctorDesk, doctor_words
from labkit.views.start_cases import CasesDesk, cases_table
from labkit.views.start_order import OrderForm, faults_of
from labkit.views.start_practice import PracticeLine, PracticeNow
from tests.conftest import PROJECT
from tests.views.at_once import AtOnce

GOOD = {
    "case": "C-0007",
    "patient_code": "P-12",
    "anatomy": "distal radius",
    "laterality": "left",
    "requested_by": "surgeon 2",
}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("case", "", "is needed"),
        ("case", "C 7", "no spaces; at most 32"),
        ("case", "Smith", "looks like a name"),
        ("patient_code", "Anna", "looks like a name"),
        ("patient_code", "Smith^Anna", "no spaces; at most 64"),
        ("laterality", "", "choose one"),
        ("anatomy", "radius of Smith^Anna", "name, number or date"),
        ("prescription", "born 1.2.1960", "name, number or date"),
        ("requested_by", "12345678", "name, number or date"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_in_words(field: str, value: str, words: str) -> None:
    assert faults_of(GOOD) == {}
    found = faults_of({**GOOD, field: value})
    assert list(found) == [field]
    assert words in found[field]
    assert "pattern" not in found[field]


def _fill(form: OrderForm, **values: Any) -> None:
    for name, value in values.items():
        form.fields[name].value = value


def test_the_form_has_every_field_of_an_order_and_makes_the_case(tmp_path: Path) -> None:
    made: list[Case] = []
    form = OrderForm(tmp_path, made.append)
    assert list(form.fields) == list(Order.model_fields)
    needed = {name for name, entry in form.fields.items() if entry.description.endswith("*")}
    assert needed == set(GOOD)
    _fill(form, **GOOD)
    assert form.folder.value == "C-0007"
    form.make.click()
    assert [case.order for case in made] == [Order(**GOOD)]  # type: ignore[arg-type]
    assert Case(tmp_path / "C-0007").order == made[0].order
    assert "Case C-0007 is made" in form.answer.value
    assert form.fields["case"].value == form.folder.value == ""


def test_the_form_refuses_and_writes_nothing(tmp_path: Path) -> None:
    Case.create(tmp_path / "other", Order(**GOOD))  # type: ignore[arg-type]
    form = OrderForm(tmp_path, lambda _: pytest.fail("made"))
    _fill(form, **GOOD)
    form.make.click()
    assert "another case of this lab has this code" in form.faults["case"].value
    _fill(form, case="C-0008")
    for folder, words in {
        "../C-0008": "plain name",
        "Smith": "use the case code",
        "other": "use the case code",
        "": "plain name",
    }.items():
        form.folder.value = folder
        form.make.click()
        assert words in form.faults["folder"].value
        assert form.faults["case"].value == ""
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    form.folder.value = "C-0008"
    (tmp_path / "C-0008").mkdir()
    form.make.click()
    assert "there already" in form.faults["folder"].value


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "cases").write_text("a file in its place")
    form = OrderForm(tmp_path / "cases", lambda _: pytest.fail("made"))
    _fill(form, **GOOD)
    form.make.click()
    assert 'role="alert"' in form.answer.value
    assert "Traceback" not in form.answer.value


def test_one_button_fills_in_an_exercise_that_can_be_made(tmp_path: Path) -> None:
    made: list[Case] = []
    form = OrderForm(tmp_path, made.append)
    form.exercise.click()
    assert list(tmp_path.iterdir()) == []
    form.make.click()
    assert is_sample(made[0].order)
    for _ in range(30):
        assert faults_of(sample_order().model_dump()) == {}


def test_a_notebook_by_hand_is_the_controlled_one_with_the_case_filled_in(case: Case) -> None:
    copy = notebook_for(case, "01_scan", {"source": "/a/scan of '7'"})
    assert copy.is_relative_to(case.evidence)
    assert source_hash(copy) == source_hash(notebook_of("01_scan"))
    cell = nbformat.read(copy, as_version=4).cells[1].source
    values: dict[str, Any] = {}
    exec(cell, values)
    assert values["case_dir"] == str(case.root)
    assert values["source"] == "/a/scan of '7'"
    assert values["protocol"] == "bone_model"
    assert "# the case folder" in cell


def test_a_copy_with_decisions_in_it_is_kept(case: Case) -> None:
    copy = notebook_for(case, "02_segmentation")
    text = copy.read_text().replace("threshold_hu: int = 300", "threshold_hu: int = 250")
    copy.write_text(text)
    assert notebook_for(case, "02_segmentation") == copy
    assert copy.read_text() == text
    moved = Case(shutil.move(case.root, case.root.with_name("elsewhere")))
    again = notebook_for(moved, "02_segmentation").read_text()
    assert "threshold_hu: int = 250" in again
    assert str(moved.root) in again


@pytest.mark.parametrize("damage", ["other", "broken"])
def test_a_copy_that_is_another_notebook_is_put_aside(case: Case, damage: str) -> None:
    copy = notebook_for(case, "02_segmentation")
    text = "{" if damage == "broken" else copy.read_text().replace("## Review", "## Mine")
    copy.write_text(text)
    assert source_hash(notebook_for(case, "02_segmentation")) == source_hash(
        notebook_of("02_segmentation")
    )
    (aside,) = set(copy.parent.glob("*.ipynb")) - {copy}
    assert aside.read_text() == text


def test_cases_tell_what_is_next_and_why_one_stopped(tmp_path: Path, case: Case) -> None:
    failed = case.evidence / "failed"
    failed.mkdir(parents=True)
    words = ["ScanError", "Found: two patients", "Expected: one", "Where: -", "Do next: name one"]
    error = {"output_type": "error", "ename": "ScanError", "traceback": words}
    kept = failed / "01_scan-2026-01-02T030405+0000.ipynb"
    kept.write_text(json.dumps({"cells": [{"outputs": [error]}]}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "order.yaml").write_text("case: [")
    broken, found = caseload(tmp_path)
    assert (found.code, found.next, found.state) == ("C-0001", "01_scan", "to do")
    assert (found.stages_done, found.can_run) == ("0 of 7", True)
    assert (found.stopped, found.fix) == ("two patients", "name one")
    assert "cannot be read as YAML" in broken.stopped
    assert not broken.can_run
    text = cases_table([broken, found]).text
    assert "two patients Do next: name one" in text


def test_the_desk_draws_a_line_for_each_case_and_finds_one(tmp_path: Path, lab_home: Path) -> None:
    desk = CasesDesk(tmp_path / "cases", AtOnce())
    desk.look()
    assert "0 cases" in desk.state.value
    for number in (1, 2):
        order = sample_order().model_copy(update={"case": f"SAMPLE-{number}"})
        Case.create(tmp_path / "cases" / str(number), order)
    desk.look()
    assert [line.open.description for line in desk.lines.values()] == ["Open 01_scan"] * 2
    desk.find.value = "sample-2"
    (line,) = desk.lines.values()
    assert line.scan.value == str(sample_scan())
    assert line.cancel.layout.display == "none"
    line.scan.value = "pacs:HOSPITAL?x=1"
    line.open.click()
    assert "to open it by hand, name a folder" in line.answer.value
    line.scan.value = "scans/one"
    shown: list[Any] = []
    desk.opener._shown = SimpleNamespace(update=shown.append)
    line.open.click()
    (copy,) = (tmp_path / "cases" / "2" / "evidence" / "by-hand").glob("*.ipynb")
    assert str(tmp_path / "scans" / "one") in copy.read_text()
    assert [one.data.endswith(">01_scan for SAMPLE-2</a>") for one in shown] == [True]


def test_a_run_that_fails_says_why(tmp_path: Path, lab_home: Path) -> None:
    Case.create(tmp_path / "cases" / "a", sample_order())
    errands = AtOnce()
    desk = CasesDesk(tmp_path / "cases", errands)
    desk.look()
    (line,) = desk.lines.values()
    line.scan.value = "nowhere"
    line.run.click()
    assert "so far" in line.answer.value
    assert line.cancel.layout.display is None
    while errands.waiting:
        time.sleep(0.2)
        errands.waiting.pop()()
    assert "the source that is named does not exist" in line.answer.value
    assert not line.run.disabled


def test_a_link_is_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    html = link(tmp_path / "cases" / "a b" / "n.ipynb", "<n>", "here")
    assert html == '<a class="here" href="../cases/a%20b/n.ipynb">&lt;n&gt;</a>'


def test_a_practice_printer_that_prints_is_stopped_by_a_second_click(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [PracticeNow("practice-2", "http://127.0.0.1:9", "Printing", True)]
    stopped: list[int] = []
    monkeypatch.setattr(start_practice, "practice_now", lambda _number: now[0])

    def stop(practice: Any) -> None:
        stopped.append(practice.number)
        now[0] = PracticeNow("practice-2")

    monkeypatch.setattr(PracticePrinter, "stop", stop)
    errands = AtOnce()
    line = PracticeLine(2, errands)
    line.look()
    assert "▶ printing" in line.told.value
    line.button.click()
    assert line.button.description == "Really stop?"
    errands.waiting.pop()()
    assert line.button.description == "Stop practice-2"
    assert "Nothing was stopped" in line.answer.value
    line.button.click()
    line.button.click()
    assert stopped == [2]
    assert "○ not started" in line.told.value
    assert line.button.description == "Start practice-2"


def test_a_practice_printer_that_does_not_come_up_says_so(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_practice: Any) -> None:
        raise PrinterError("it did not come up", expected="an answer", fix="look at the log")

    monkeypatch.setattr(PracticePrinter, "start", start)
    line = PracticeLine(1, AtOnce())
    line.look()
    line.button.click()
    assert "it did not come up" in line.answer.value
    assert not line.button.disabled


def test_what_is_missing_comes_first_as_sign_and_word(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"tool": "a", "state": "ok", "version": "1", "for": "x", "fix": ""}
    lost = {**row, "tool": "b", "state": "missing", "version": "", "fix": "get it"}
    assert "Everything is here" in doctor_words([row]).text
    text = doctor_words([row, lost]).text
    assert "labkit doctor --install" in text
    assert text.index("✘\u00a0missing") < text.index("✔\u00a0ok")
    monkeypatch.setattr("labkit.doctor.report", lambda: [lost])
    desk = DoctorDesk(AtOnce())
    desk.again.click()
    assert "get it" in desk.table.value
    assert "Checked at" in desk.state.value


@pytest.mark.filterwarnings("default")  # papermill's and nbclient's
def test_plain_papermill_draws_the_page_once(tmp_path: Path, case: Case) -> None:
    executed = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        str(PROJECT / "notebooks" / "00_start_here.ipynb"),
        str(executed),
        {"cases_dir": str(tmp_path)},
        execution_timeout=120,
        progress_bar=False,
    )
    cells = nbformat.read(executed, as_version=4).cells
    said = json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)
    for words in ("C-0001, practice", "01_scan: to do", "○ not started", "papermill"):
        assert words in said
    assert "widget-view" not in said
    assert len(said) < 20_000
