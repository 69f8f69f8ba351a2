"""From the sample scan to a signed record, and what becomes of it when it is touched."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.case import STAGES, Case, read_result
from labkit.files import sha256_of
from labkit.procedures.sample import DECISIONS
from labkit.processes import Finished
from tests.acceptance.conftest import Lab
from tests.browser.axe import violations
from tests.browser.conftest import opened_page
from tests.browser.lab import Server
from tests.conftest import SAMPLE

PRODUCTS = {
    "01_scan": ["volume.nrrd", "series.json", "slices.png"],
    "02_segmentation": ["mask.seg.nrrd", "mask.dcm", "surface.stl", "editing.png", "surface.png"],
    "03_design": ["part.3mf", "part.stl", "part.png"],
    "04_slicing": ["part.gcode", "gcode.json", "toolpath.png"],
    "05_printing": ["job.json"],
    "06_inspection": ["inspection.json", "measurements_template.csv"],
    "07_traceability": ["record.pdf", "release/manifest.sha256"],
}
Stock = Callable[[Path], Finished]


def test_the_demo_ends_accepted_and_names_the_record(demo: dict[str, Any]) -> None:
    assert demo["in_toto_verify"] == "accepted"
    assert demo["exit_code"] == 0
    assert Path(demo["record"]).read_bytes().startswith(b"%PDF")
    assert [row["stage"] for row in demo["stages"]] == list(STAGES)
    assert all(row["verdict"] in ("pass", "action") for row in demo["stages"])
    assert {row["why"] for row in demo["stages"]} == {"first run"}


def test_each_stage_leaves_its_products_and_a_true_record_of_them(demo: dict[str, Any]) -> None:
    root = Path(demo["case"])
    for stage, names in PRODUCTS.items():
        for name in [*names, "parameters.yaml", "notebook.ipynb", "result.json"]:
            assert (root / stage / name).is_file(), f"{stage}/{name}"
        result = read_result(root / stage)
        assert result.mode == "replay"
        for path, digest in {**result.inputs, **result.outputs}.items():
            assert sha256_of(root / path) == digest, path
        assert len(result.notebook["sha256"]) == 64


def test_the_part_names_the_frame_of_reference_of_its_scan(demo: dict[str, Any]) -> None:
    case = Path(demo["case"])
    scan = read_result(case / "01_scan").details["geometry"]["frame_of_reference_uid"]
    assert scan.startswith("2.25.")
    assert read_result(case / "03_design").details["frame_of_reference_uid"] == scan


def test_a_practice_print_says_so(demo: dict[str, Any]) -> None:
    job = json.loads((Path(demo["case"]) / "05_printing" / "job.json").read_text())
    assert job["practice"] is True
    assert job["state"] == "finished"
    assert job["started_here"] is True
    warnings = read_result(Path(demo["case"]) / "07_traceability").warnings
    assert "practice printer: nothing real was printed" in warnings


def test_no_path_of_this_machine_and_no_name_is_in_the_evidence(
    demo: dict[str, Any], lab: Lab
) -> None:
    root = Path(demo["case"])
    for path in root.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".yaml", ".ipynb", ".link", ".layout"):
            text = path.read_text()
            for word in (str(lab.cases), str(lab.home), "SAMPLE^FOREARM"):
                assert word not in text, f"{word} in {path.relative_to(root)}"


def test_executed_notebooks_hold_pictures_and_no_widgets_or_warnings(
    demo: dict[str, Any],
) -> None:
    for stage in STAGES:
        path = Path(demo["case"]) / stage / "notebook.ipynb"
        assert path.stat().st_size <= 5e6
        executed = json.loads(path.read_text())
        assert "widgets" not in executed["metadata"]  # their state could hold a whole scan
        outputs = [out for cell in executed["cells"] for out in cell.get("outputs", [])]
        for shown in outputs:  # without trust JupyterLab shows pictures and plain tables
            data = shown.get("data", {})
            assert "text/plain" in data, f"{stage}: {list(data)}"
            if "image/png" in data:
                assert shown["metadata"]["image/png"]["alt"]
            else:
                assert not "".join(data["text/plain"]).startswith("<"), stage
        kinds = {kind for out in outputs for kind in out.get("data", {})}
        assert not any("widget" in kind for kind in kinds)
        streams = [out for out in outputs if out["output_type"] == "stream"]
        assert streams == [], f"{stage}: {streams}"
        if stage in ("01_scan", "02_segmentation", "03_design", "04_slicing"):
            assert "image/png" in kinds


def test_the_sealed_case_has_a_page_that_asks_for_nothing(
    demo: dict[str, Any], lab: Lab, tmp_path: Path
) -> None:
    case = Path(demo["case"])
    file = Path(demo["page"])
    assert file == case / "evidence" / "case.html"
    page = file.read_text()
    for stage in STAGES:
        assert sha256_of(case / stage / "notebook.ipynb") in page
    assert page.count("<td>as signed</td>") == len(STAGES)
    for word in (str(lab.cases), str(lab.home), "SAMPLE^FOREARM"):
        assert word not in page
    nobody = Server(0, tmp_path)
    with opened_page(nobody, tmp_path / "profile") as opened:
        opened.goto(file.as_uri())
        opened.get_by_role("link", name="04_slicing").click()
        assert opened.get_by_role("heading", name="Slicing").is_visible()
        assert violations(opened, "body") == []
    asked = [url for url in nobody.asked if not url.startswith("data:")]
    assert asked == [file.as_uri()]


def test_the_page_of_a_case_is_made_at_any_moment(finished: Path, lab: Lab, tmp_path: Path) -> None:
    to = tmp_path / "page.html"
    (finished / "07_traceability").rename(tmp_path / "away")
    with (finished / "06_inspection" / "inspection.json").open("a") as stream:
        stream.write(" ")
    made = lab.document("page", finished, "--to", to)
    assert made["page"] == str(to)
    assert "not done" in to.read_text()
    assert "06_inspection/inspection.json was altered" in to.read_text()


def test_an_untouched_case_is_intact(finished: Path, lab: Lab, stock: Stock) -> None:
    assert stock(finished).exit_code == 0
    verified = lab.labkit("verify", finished)
    assert verified.exit_code == 0
    assert "intact" in verified.output


@pytest.mark.parametrize("stage", STAGES)
def test_a_flipped_byte_is_found_and_named_by_both_judges(
    finished: Path, lab: Lab, stock: Stock, stage: str
) -> None:
    name = f"{stage}/{PRODUCTS[stage][0]}"
    content = bytearray((finished / name).read_bytes())
    content[len(content) // 2] ^= 1
    (finished / name).write_bytes(content)
    _both_refuse(finished, lab, stock, name)


@pytest.mark.parametrize("stage", STAGES)
def test_a_deleted_product_is_found_and_named_by_both_judges(
    finished: Path, lab: Lab, stock: Stock, stage: str
) -> None:
    name = f"{stage}/{PRODUCTS[stage][-1]}"
    (finished / name).unlink()
    _both_refuse(finished, lab, stock, name)


def test_a_link_signed_by_another_key_is_refused_and_named(
    finished: Path, demo: dict[str, Any], lab: Lab, stock: Stock, tmp_path: Path
) -> None:
    other = Lab(tmp_path / "other", tmp_path)
    theirs = other.new("theirs")
    assert other.labkit("run", theirs, "01", "--source", SAMPLE).exit_code == 0
    link = next((theirs / "evidence").glob("01_scan.*.link"))
    ours = next((finished / "evidence").glob("01_scan.*.link"))
    ours.write_bytes(link.read_bytes())
    _both_refuse(finished, lab, stock, "01_scan")


def _both_refuse(case: Path, lab: Lab, stock: Stock, name: str) -> None:
    judged = stock(case)
    assert judged.exit_code != 0
    assert name in judged.errors.splitlines()[0]  # its first line; the rest lists every file
    verified = lab.labkit("verify", case)
    assert verified.exit_code == 4
    assert name in verified.output


def test_altered_evidence_stops_the_next_run(finished: Path, lab: Lab) -> None:
    with (finished / "02_segmentation" / "surface.stl").open("ab") as stream:
        stream.write(b"x")
    again = lab.labkit("run", finished)
    assert again.exit_code == 4
    assert "02_segmentation/surface.stl was altered" in again.errors


def test_what_holds_is_not_run_again(finished: Path, lab: Lab) -> None:
    again = lab.document("run", finished)
    assert [row["ran"] for row in again["stages"]] == [False] * 7
    rows = lab.document("status", finished)["stages"]
    assert {row["state"] for row in rows} == {"holds"}


def test_a_changed_decision_runs_what_it_touches_and_prints_nothing_twice(
    finished: Path, lab: Lab, stock: Stock
) -> None:
    job = json.loads((finished / "05_printing" / "job.json").read_text())
    done = lab.labkit("run", finished, "-p", "inspection.tolerance_mm=0.8", "--json")
    assert done.exit_code == 0, done.errors
    ran = {row["stage"]: row["folder"] for row in json.loads(done.output)["stages"] if row["ran"]}
    assert ran == {"06_inspection": "06_inspection.r2", "07_traceability": "07_traceability.r2"}
    assert (finished / "06_inspection").is_dir()
    again = lab.labkit("run", finished, "05", "-p", "printing.silence_limit_s=90")
    assert again.exit_code == 0, again.errors
    second = json.loads((finished / "05_printing.r2" / "job.json").read_text())
    assert second["job"] == job["job"]
    assert second["started_here"] is False
    assert [step["state"] for step in second["history"]].count("starting") == 1
    finish = lab.labkit("run", finished)
    assert finish.exit_code == 0, finish.errors
    assert stock(finished).exit_code == 0
    assert lab.labkit("verify", finished).exit_code == 0


def test_a_failing_measurement_ends_with_1_and_is_not_forgotten(
    finished: Path, lab: Lab, tmp_path: Path, stock: Stock
) -> None:
    table = tmp_path / "measured.csv"
    table.write_text("feature,measured_mm\n" + '"landing block A, width",10.6\n')
    first = lab.labkit("run", finished, "-p", f"inspection.measurements_csv={table}")
    assert first.exit_code == 1
    assert "not done: overall height" in first.errors
    table.unlink()
    again = lab.labkit("run", finished, "-p", "inspection.tolerance_mm=0.5")
    assert again.exit_code == 1
    assert "fail: landing block A, width: 0.6 mm" in again.errors
    kept = Case(finished).product("06_inspection", "measurements.csv")
    assert kept.parent.name == "06_inspection.r3"
    assert "10.6" in kept.read_text()
    assert stock(finished).exit_code == 0


def test_nothing_is_built_on_a_stage_that_does_not_hold(finished: Path, lab: Lab) -> None:
    done = lab.labkit("run", finished, "03", "-p", "design.scale=0.9")
    assert done.exit_code == 0, done.errors
    refused = lab.labkit("run", finished, "05")
    assert refused.exit_code == 2
    assert "04_slicing: 03_design has a newer revision" in refused.errors


def test_a_case_that_was_not_sealed_is_sealed_by_the_next_run(finished: Path, lab: Lab) -> None:
    (finished / "evidence" / "root.layout").unlink()
    assert lab.labkit("run", finished).exit_code == 0
    assert lab.labkit("verify", finished).exit_code == 0


@pytest.mark.parametrize(
    "name",
    [
        "02_segmentation/parameters.yaml",
        "02_segmentation/result.json",
        "03_design/parameters.yaml",
    ],
)
def test_a_damaged_record_is_altered_evidence(finished: Path, lab: Lab, name: str) -> None:
    (finished / name).write_text("{[")
    for command in ("run", "status"):
        done = lab.labkit(command, finished)
        assert "Traceback" not in done.errors
        assert f"{name} was altered" in done.errors + done.output
    assert lab.labkit("run", finished).exit_code == 4


def test_the_same_decisions_give_the_same_products(demo: dict[str, Any], lab: Lab) -> None:
    """A replay of the deterministic stages, from the scan to the frozen G-code."""
    again = lab.new("again", Path(demo["case"]) / "order.yaml")
    words = [f"-p{stage}.{name}={value}" for stage, name, value in _decisions()]
    done = lab.labkit("run", again, "01", "02", "03", "04", "--source", SAMPLE, *words)
    assert done.exit_code == 0, done.errors
    first = Case(demo["case"])
    for name in (
        "01_scan/volume.nrrd",
        "02_segmentation/mask.seg.nrrd",
        "02_segmentation/surface.stl",
        "03_design/part.stl",
        "03_design/part.3mf",
        "04_slicing/part.gcode",
    ):
        assert sha256_of(again / name) == sha256_of(first.root / name), name


def _decisions() -> list[tuple[str, str, object]]:
    return [(stage, name, value) for stage in DECISIONS for name, value in DECISIONS[stage].items()]
