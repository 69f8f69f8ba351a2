"""A mask of another tool with two structures: by hand, and repeated by ``labkit run``."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import papermill
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from labkit.case import read_result
from labkit.files import sha256_of
from labkit.parameters import Segmentation
from labkit.segmentation import import_mask, segment
from labkit.segmentation.labels.nifti import image_of
from labkit.surface import read_stl
from labkit.volume import Volume, read_nrrd
from tests.acceptance.conftest import Lab
from tests.conftest import PROJECT, SAMPLE

KEPT = "imported.seg.nrrd"
BONES = "radius: bone 300 @ -154.7, -21.6, 1333.0; ulna @ -134.7, -20.1, 1333.0"


def _write_mask(volume: Volume, path: Path) -> None:
    """As another program would write it: NIfTI, the larger bone 5 and the other one 9."""
    bones = segment(volume, Segmentation(components=2))
    first = segment(volume, Segmentation(components=1))
    labels = np.where(first > 0, 5, np.where(bones > 0, 9, 0)).astype(np.uint8)
    image = image_of(replace(volume, voxels=labels.astype(np.int16)))
    sitk.WriteImage(sitk.Cast(image, sitk.sitkUInt8), str(path))


@pytest.mark.filterwarnings("default")  # those of papermill and nbclient, not ours
def test_a_mask_of_another_tool_by_hand_is_taken_again_by_every_run(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(lab.home))
    case = lab.new("other-tool")
    assert lab.labkit("run", case, "scan", "--source", SAMPLE).exit_code == 0
    volume = read_nrrd(case / "01_scan" / "volume.nrrd")
    path = tmp_path / "DOE_JOHN.nii.gz"
    _write_mask(volume, path)
    digest = sha256_of(path)
    papermill.execute_notebook(
        str(PROJECT / "notebooks" / "02_segmentation.ipynb"),
        str(tmp_path / "by-hand.ipynb"),
        {
            "case_dir": str(case),
            "mask_from": "file",
            "mask_file": str(path),
            "structures": "label 5; label 9: cortical bone 450",
        },
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=600,
    )
    stage = case / "02_segmentation"
    by_hand = {path.name: path.read_bytes() for path in stage.iterdir()}
    path.unlink()  # the case alone must be enough

    done = lab.labkit("run", case, "segmentation", "design")
    assert done.exit_code == 0, done.errors
    result = read_result(stage)
    assert result.mode == "replay"
    products = (KEPT, "mask.seg.nrrd", "mask.dcm", "surface.stl")
    for name in (*products, "surface_label_5.stl", "surface_label_9.stl"):
        assert (stage / name).read_bytes() == by_hand[name], name
        assert f"02_segmentation/{name}" in result.outputs
    assert result.details["mask_of_another_tool"]["sha256"] == digest
    assert [one["file"] for one in result.details["structures"]] == [
        "surface_label_5.stl",
        "surface_label_9.stl",
    ]
    assert [one["threshold_hu"] for one in result.details["structures"]] == [300, 450]
    for word in ("DOE_JOHN", str(tmp_path)):
        assert not any(word.encode() in path.read_bytes() for path in stage.iterdir()), word

    whole = read_stl(stage / "surface.stl").volume
    parts = [read_stl(stage / f"surface_label_{n}.stl").volume for n in (5, 9)]
    assert sum(parts) == pytest.approx(whole, rel=1e-4)
    seg = pydicom.dcmread(stage / "mask.dcm")
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["label 5", "label 9"]
    back = import_mask(stage / "mask.dcm", volume).label_map
    assert set(np.unique(back.labels)) == {0, 1, 2}
    assert (case / "03_design" / "part.stl").is_file()

    # and with another decision: the mask stays
    again = lab.labkit("run", case, "segmentation", "-p", "segmentation.structures=label 9")
    assert again.exit_code == 0, again.errors
    newest = case / "02_segmentation.r2"
    assert read_result(newest).details["mask_of_another_tool"]["sha256"] == digest
    assert not (newest / "surface_label_9.stl").exists()
    held = lab.labkit("run", case, "segmentation")
    assert "holds" in held.output + held.errors

    # back to a threshold, the bones told apart by a place in each
    words = ["-p", "segmentation.mask_from=threshold", "-p", f"segmentation.structures={BONES}"]
    told_apart = lab.labkit("run", case, "segmentation", *words)
    assert told_apart.exit_code == 0, told_apart.errors
    newest = case / "02_segmentation.r3"
    assert {"surface_radius.stl", "surface_ulna.stl"} <= {path.name for path in newest.iterdir()}
    assert not (newest / KEPT).exists()
