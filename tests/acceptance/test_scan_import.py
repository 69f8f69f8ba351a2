"""What the import found and did goes on: caveats, protocols, and what `labkit series` says."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from labkit.case import read_result
from labkit.files import write_whole
from tests.acceptance.conftest import Lab
from tests.conftest import SAMPLE


@pytest.fixture
def with_a_gap(tmp_path: Path) -> Path:
    """The sample without one of its images."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "DOE_JOHN"))
    (folder / "IM0050.dcm").unlink()
    return folder


def test_a_made_up_image_is_refused_unless_asked_for_and_then_told_by_every_record(
    lab: Lab, with_a_gap: Path
) -> None:
    case = lab.new("gap")
    refused = lab.labkit("run", case, "01", "--source", with_a_gap)
    assert refused.exit_code == 2
    assert "1 image missing" in refused.errors
    assert not (case / "01_scan").exists()
    told = lab.labkit("status", case).output
    assert "01_scan failed: " in told and "1 image missing" in told
    assert "DOE" not in told
    words = ("-p", "scan.interpolate_missing=true", "-p", "segmentation.threshold_hu=625")
    done = lab.labkit("run", case, "01", "02", "--source", with_a_gap, *words)
    assert done.exit_code == 0, done.errors
    assert "caveat for all that follows: slice " in done.errors
    assert "01_scan failed" not in lab.labkit("status", case).output
    scan, segmentation = (read_result(case / name) for name in ("01_scan", "02_segmentation"))
    assert scan.caveats
    assert segmentation.caveats == scan.caveats
    assert "made up from the images beside it" in segmentation.caveats[0].text
    for path in ("01_scan/notebook.ipynb", "02_segmentation/notebook.ipynb"):
        assert "DOE_JOHN" not in (case / path).read_text()
    assert "Caveat of 01_scan" in (case / "02_segmentation" / "notebook.ipynb").read_text()


def test_a_scan_that_the_protocol_does_not_take_ends_the_run_with_the_verdict(lab: Lab) -> None:
    case = lab.new("protocol")
    done = lab.labkit("run", case, "--source", SAMPLE, "-p", "scan.protocol=mr_model")
    assert done.exit_code == 1
    assert "fail: modality: CT (limit: MR)" in done.errors
    assert not (case / "02_segmentation").exists()
    told: dict[str, Any] = json.loads((case / "01_scan" / "series.json").read_text())
    assert told["protocol"]["name"] == "mr_model"
    own = lab.home / "profiles" / "protocols" / "mr_model.yaml"
    write_whole(own, "name: mr_model\nversion: own\n")
    assert "the profile mr_model has changed" in lab.labkit("status", case).output


def test_series_says_what_would_be_taken_and_names_nobody(lab: Lab, with_a_gap: Path) -> None:
    whole = lab.labkit("series", SAMPLE)
    assert whole.exit_code == 0, whole.errors
    assert "would be taken: the only usable series" in whole.output
    assert "a scout image, not a volume" in whole.output
    only_mr = "modality: {allowed: [MR], otherwise: fail, source: labkit's own}"
    own = lab.home / "profiles" / "protocols" / "only_mr.yaml"
    write_whole(own, f"name: only_mr\nversion: own\n{only_mr}\n")
    unfit = lab.labkit("series", SAMPLE, "--protocol", "only_mr")
    assert unfit.exit_code == 1, "it would be taken, but its verdict is fail"
    refused = lab.labkit("series", with_a_gap, "--json")
    assert refused.exit_code == 1
    about = json.loads(refused.output)
    assert about["taken"] is None
    assert {row["verdict"] for row in about["series"]} == {"refused"}
    assert "DOE" not in refused.output + refused.errors
    nothing = lab.labkit("series", with_a_gap / "nothing", "--json")
    assert nothing.exit_code == 2
    assert json.loads(nothing.output)["error"]["type"] == "ScanError"
