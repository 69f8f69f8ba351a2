"""What a person drew by hand, drawn again and signed by ``labkit run``."""

from pathlib import Path

import papermill
import pytest

from labkit.case import read_result
from labkit.parameters import Segmentation
from labkit.segmentation import Review
from labkit.volume import read_nrrd
from tests.acceptance.conftest import Lab
from tests.conftest import PROJECT, SAMPLE


@pytest.mark.filterwarnings("default")  # those of papermill and nbclient, not ours
def test_strokes_by_hand_are_drawn_again_by_the_run_and_by_every_run_after_it(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(lab.home))
    case = lab.new("strokes")
    assert lab.labkit("run", case, "scan", "--source", SAMPLE).exit_code == 0
    volume = read_nrrd(case / "01_scan" / "volume.nrrd")
    review = Review(volume, Segmentation())
    middle = volume.to_lps([(n - 1) / 2 for n in volume.voxels.shape[::-1]])
    review.draw(
        mode="erase",
        plane="axial",
        normal_lps=volume.direction[:, 2].tolist(),
        brush="ball",
        radius_mm=12.0,
        points_lps_mm=[middle.tolist()],
    )
    review.accept()
    review.write(tmp_path / "drawn.json")
    papermill.execute_notebook(
        str(PROJECT / "notebooks" / "02_segmentation.ipynb"),
        str(tmp_path / "by-hand.ipynb"),
        {"case_dir": str(case), "strokes": str(tmp_path / "drawn.json")},
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=600,
    )
    stage = case / "02_segmentation"
    assert read_result(stage).mode == "interactive"
    by_hand = {path.name: path.read_bytes() for path in stage.iterdir()}
    (tmp_path / "drawn.json").unlink()  # the case alone must be enough

    done = lab.labkit("run", case, "segmentation")
    assert done.exit_code == 0, done.errors
    result = read_result(stage)
    assert result.mode == "replay"
    for name in ("strokes.json", "mask.seg.nrrd", "mask.dcm", "surface.stl"):
        assert (stage / name).read_bytes() == by_hand[name], name
    (finding,) = (check for check in result.checks if check.name == "corrections by hand")
    assert finding.verdict == "pass"
    assert str(finding.value).startswith("1 strokes")

    # again with another decision: the strokes stay
    again = lab.labkit("run", case, "segmentation", "-p", "segmentation.components=2")
    assert again.exit_code == 0, again.errors
    newest = case / "02_segmentation.r2"
    assert (newest / "strokes.json").read_bytes() == by_hand["strokes.json"]
    held = lab.labkit("run", case, "segmentation")
    assert "holds" in held.output + held.errors
    assert not (case / "02_segmentation.r3").exists()
