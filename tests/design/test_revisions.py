"""What a revision changed, in mm, and that an approval names one file only."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit.case import Case
from labkit.design import Part, PrintObject, difference, earlier_part
from labkit.design.revisions import decisions_changed
from labkit.errors import ApprovalError
from labkit.files import sha256_of
from labkit.parameters import AnatomicalModel
from labkit.printing.approval import check_approval
from labkit.stage import Stage
from labkit.surface import write_stl
from labkit.volume import Array

PLACE = trimesh.transformations.translation_matrix((-140, 25, 1300))


def _block(*size: float) -> trimesh.Trimesh:
    x, y, z = size
    box: trimesh.Trimesh = trimesh.creation.box(bounds=((-x / 2, -y / 2, 0), (x / 2, y / 2, z)))
    return box


def _part(mesh: trimesh.Trimesh, place: Array = PLACE) -> Part:
    return Part((PrintObject("C-0001", mesh),), place)


def _publish(case: Case, part: Part, **decisions: object) -> None:
    stage = Stage("03_design", AnatomicalModel(case_dir=str(case.root), **decisions))  # type: ignore[arg-type]
    write_stl(part.mesh, stage.output("part.stl"))
    stage.details = {"plate_to_patient": part.plate_to_patient.tolist()}
    stage.record()


def test_there_is_nothing_to_compare_a_first_revision_with(case: Case) -> None:
    assert earlier_part(case) is None


def test_a_revision_is_compared_with_the_last_one_that_was_published(case: Case) -> None:
    _publish(case, _part(_block(20, 20, 30)))
    _publish(case, _part(_block(20, 20, 40)), scale=0.5)
    earlier = earlier_part(case)
    assert earlier is not None
    assert earlier.folder == "03_design.r2"
    assert earlier.mesh.bounds[1] == pytest.approx((-130, 35, 1340))
    now = AnatomicalModel(case_dir=str(case.root)).decided()
    assert decisions_changed(earlier, now) == "scale: 0.5 → 1.0"
    change = difference(_part(_block(20, 20, 43)), earlier)
    about = change.as_dict(now)
    assert about["earlier"] == "03_design.r2"
    assert about["earlier_sha256"] == sha256_of(case.root / "03_design.r2" / "part.stl")


def test_material_added_and_removed_is_measured_with_its_sign(case: Case) -> None:
    _publish(case, _part(_block(20, 20, 30)))
    earlier = earlier_part(case)
    assert earlier is not None
    for height, added, removed in ((33.0, 3.0, 0.0), (28.0, 0.0, 2.0)):
        change = difference(_part(_block(20, 20, height)), earlier)
        assert change.max_mm == pytest.approx(3.0 if added else 2.0, abs=1e-4)
        assert change.of_vertices_mm.max() == pytest.approx(added, abs=1e-4)
        assert change.volume_change_mm3 == pytest.approx(400 * (height - 30), abs=0.1)
        if removed:  # only the way back shows what is gone in full
            assert change.removed.max_mm == pytest.approx(removed, abs=1e-4)


def test_another_orientation_is_no_difference(case: Case) -> None:
    part = _part(_block(20, 15, 30))
    _publish(case, part)
    earlier = earlier_part(case)
    assert earlier is not None
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0))
    mesh = part.mesh.copy()
    mesh.apply_transform(turn)
    other = replace(_part(mesh), plate_to_patient=PLACE @ np.linalg.inv(turn))
    assert difference(other, earlier).max_mm < 1e-4


def test_an_approval_dies_with_the_next_revision(case: Case, tmp_path: Path) -> None:
    """The approval names the hash of one file: that of another revision it does not fit."""
    hashes = []
    for height in (30.0, 30.1):
        _publish(case, _part(_block(20, 20, height)))
        folder = case.current("03_design")
        assert folder is not None
        hashes.append(sha256_of(folder / "part.stl"))
    who = {"printer": "a", "sliced_for": "a", "practice": False}
    assert "approved by X" in check_approval(hashes[0], hashes[0], "X", **who)  # type: ignore[arg-type]
    with pytest.raises(ApprovalError, match="approval of another file"):
        check_approval(hashes[1], hashes[0], "X", **who)  # type: ignore[arg-type]
    shutil.copy(case.root / "03_design" / "part.stl", tmp_path / "renamed.stl")
    assert sha256_of(tmp_path / "renamed.stl") == hashes[0], "a name is no content"
