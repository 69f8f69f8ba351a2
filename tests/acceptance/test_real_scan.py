"""Real CTs, which nobody here made."""

import json
from collections.abc import Callable
from pathlib import Path

from labkit.case import read_result
from labkit.files import write_whole
from labkit.processes import Finished
from tests.acceptance.conftest import Lab

ORDER = """\
case: SKULL-1
patient_code: PLASTIC-1
anatomy: skull base
laterality: none
requested_by: physicist
practice: true
"""
WORDS = (
    "-p design.scale=0.4",
    "-p design.keep_from_mm=30",
    "-p slicing.layer_height_mm=0.32",
    "-p slicing.infill_percent=0",
)


def _case(lab: Lab, tmp_path: Path, name: str) -> Path:
    write_whole(tmp_path / "order.yaml", ORDER)
    return lab.new(name, tmp_path / "order.yaml")


def test_a_plastic_skull_goes_from_dicom_to_a_verified_record(
    lab: Lab, tmp_path: Path, real_data: Path, stock: Callable[[Path], Finished]
) -> None:
    case = _case(lab, tmp_path, "skull")
    source = real_data / "ct_skull_phantom_1mm" / "S2030"
    words = [part for word in WORDS for part in word.split()]
    done = lab.labkit("run", case, "--source", source, *words, "--json")
    assert done.exit_code == 0, done.errors
    assert len(json.loads(done.output)["stages"]) == 7
    assert read_result(case / "01_scan").metrics["images"] == 60
    job = json.loads((case / "05_printing" / "job.json").read_text())
    assert job["state"] == "finished"
    caveats = [caveat.text for caveat in read_result(case / "07_traceability").caveats]
    assert "scaled to 0.4 of life size: not for measuring anatomy" in caveats
    assert stock(case).exit_code == 0
    assert lab.labkit("verify", case).exit_code == 0


def test_a_tilted_and_uneven_head_is_refused_with_the_reason(
    lab: Lab, tmp_path: Path, real_data: Path
) -> None:
    case = _case(lab, tmp_path, "head")
    done = lab.labkit("run", case, "--source", real_data / "ct_head_ge_tilt_irregular")
    assert done.exit_code == 2
    assert "sheared by 18.5° (gantry tilt)" in done.errors
    assert "the gaps also vary, 1.08, 4, 7 mm" in done.errors
    assert not (case / "01_scan").exists()
