"""What a design reads: the first structure named, the others, and files beside the parameters."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit.case import Case, Order
from labkit.design import read_anatomy, with_files
from labkit.parameters import Segmentation, validated
from labkit.stage import Stage
from labkit.surface import write_stl


def _segmented(case: Case, *names: str) -> None:
    stage = Stage("02_segmentation", Segmentation(case_dir=str(case.root)))
    rows = []
    for size, name in enumerate(names, 1):
        file = f"surface_{name}.stl" if len(names) > 1 else "surface.stl"
        write_stl(trimesh.creation.box((size, size, size)), stage.output(file))
        rows.append({"name": name, "file": file})
    if len(names) > 1:
        write_stl(trimesh.creation.box((9, 9, 9)), stage.output("surface.stl"))
    stage.details = {"structures": rows}
    stage.record()


def _design(case: Case, **values: object) -> Stage:
    given = {"device": case.order.device, "case_dir": str(case.root), **values}
    return Stage("03_design", validated("03_design", given))


def test_of_several_structures_the_first_is_the_surface(case: Case) -> None:
    _segmented(case, "bone", "tumour", "vessel")
    anatomy = read_anatomy(_design(case))
    assert anatomy.surface.extents == pytest.approx((1, 1, 1))
    assert list(anatomy.others) == ["tumour", "vessel"]
    assert anatomy.others["vessel"].extents == pytest.approx((3, 3, 3))


def test_a_single_structure_has_no_others(case: Case) -> None:
    _segmented(case, "bone")
    anatomy = read_anatomy(_design(case))
    assert anatomy.surface.extents == pytest.approx((1, 1, 1))
    assert anatomy.others == {}


def test_the_surfaces_read_are_hashed_into_the_record(case: Case) -> None:
    _segmented(case, "bone", "tumour")
    stage = _design(case)
    read_anatomy(stage)
    stage.details["plate_to_patient"] = np.eye(4).tolist()
    used = stage.record().inputs
    assert {"02_segmentation/surface_bone.stl", "02_segmentation/surface_tumour.stl"} <= set(used)


def test_a_files_place_reaches_the_family_and_not_the_record(
    tmp_path: Path, lab_home: Path, order: Order
) -> None:
    case = Case.create(tmp_path / "limb", order.model_copy(update={"device": "orthosis"}))
    limb = tmp_path / "limb.stl"
    write_stl(trimesh.creation.box((1, 2, 3)), limb)
    stage = _design(case, limb_file=str(limb))
    assert with_files(stage).model_dump()["limb_file"] == str(limb)
    result = stage.record()
    assert "limb_file" not in result.parameters
    assert result.details["sources"]["limb_file"]
