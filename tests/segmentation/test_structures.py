"""Several structures at once: by threshold, from a given mask, and corrected by hand."""

import numpy as np
import pytest

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.segmentation import (
    LabelMap,
    Segment,
    Structures,
    StructureSurfaces,
    extract_structures,
    segment,
    structures_of,
)
from labkit.surface import solid
from labkit.volume import Volume
from tests.segmentation.surfaces import HALF, ball_scan


def blocks() -> Volume:
    """A bright block within a dimmer one, and another of the dimmer grey value beside them."""
    hu = np.full((30, 40, 50), -50, np.int16)
    hu[8:22, 8:30, 8:24] = 500
    hu[12:18, 14:22, 12:20] = 1500
    hu[8:22, 8:30, 32:44] = 500
    return Volume(hu, np.array([5.0, -7.0, 100.0]), np.array([1.0, 1.0, 1.5]), np.eye(3))


def seed(volume: Volume, *ijk: float) -> str:
    return ", ".join(f"{mm:g}" for mm in volume.to_lps([ijk])[0])


def marked(volume: Volume, structures: str, **more: object) -> Structures:
    return structures_of(volume, Segmentation(structures=structures).model_copy(update=more))


def test_one_structure_is_what_the_threshold_gives() -> None:
    volume, parameters = blocks(), Segmentation()
    found = structures_of(volume, parameters)
    assert np.array_equal(found.mask, segment(volume, parameters))
    assert found.names == {1: "bone"}
    assert found.decided[1].threshold_hu == 300


def test_the_brighter_of_two_has_the_voxels_of_both_and_each_its_own_threshold() -> None:
    volume = blocks()
    found = marked(volume, "jaw; crown: teeth 1000")
    assert found.names == {1: "jaw", 2: "crown"}
    assert [own.threshold_hu for own in found.decided.values()] == [300, 1000]
    crown = found.label_map.labels == 2
    assert np.array_equal(crown, volume.voxels > 1000)
    assert np.array_equal(found.masks[1] > 0, (found.label_map.labels > 0))
    assert found.label_map.segments[2].terminology != found.label_map.segments[1].terminology


def test_pieces_of_one_threshold_are_told_apart_by_their_seeds() -> None:
    volume = blocks()
    at = seed(volume, 10, 10, 10), seed(volume, 36, 20, 15)
    found = marked(volume, f"radius @ {at[0]}; ulna @ {at[1]}")
    assert set(np.unique(found.label_map.labels[:, :, :28])) == {0, 1}
    assert set(np.unique(found.label_map.labels[:, :, 28:])) == {0, 2}
    first, second = found.label_map.segments.values()
    assert first.rgb != second.rgb
    assert first.kind == second.kind


def test_two_names_for_the_same_voxels_are_refused() -> None:
    with pytest.raises(SegmentationError, match="no voxel of ulna") as caught:
        marked(blocks(), "radius; ulna")
    assert "seeds of its own" in caught.value.fix


def test_a_threshold_outside_the_window_of_its_kind_is_refused() -> None:
    with pytest.raises(SegmentationError, match="threshold_hu = 300 for teeth"):
        marked(blocks(), "bone; crown: teeth 300")


def _given(volume: Volume) -> LabelMap:
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[8:22, 8:30, 8:24] = 4
    labels[8:22, 8:30, 24:28] = 9  # not above any threshold: a mask is taken as it is
    return LabelMap.on(volume, labels, {4: Segment("femur"), 9: Segment("screw")})


def test_a_given_mask_is_taken_whole_and_each_segment_may_have_its_threshold() -> None:
    volume = blocks()
    parameters = Segmentation(structures="Screw: vessels 250", mask_from="file")
    found = structures_of(volume, parameters, _given(volume))
    assert np.array_equal(found.label_map.labels, _given(volume).labels)
    assert found.decided[9].threshold_hu == 250
    assert found.decided[4].threshold_hu == 300
    with pytest.raises(SegmentationError, match="seeds for femur"):
        structures_of(volume, Segmentation(structures="femur @ 1, 2, 3"), _given(volume))


def test_two_segments_of_one_name_are_told_apart_by_their_value() -> None:
    volume = blocks()
    twins = LabelMap.on(volume, _given(volume).labels, {4: Segment("bone"), 9: Segment("Bone")})
    assert structures_of(volume, Segmentation(), twins).names == {4: "bone 4", 9: "Bone 9"}


def test_a_name_that_another_one_would_get_by_its_value_stays_apart() -> None:
    volume = blocks()
    labels = _given(volume).labels.copy()
    labels[8:22, 8:30, 32:44] = 2
    named = {2: Segment("bone 4"), 4: Segment("bone"), 9: Segment("bone")}
    names = structures_of(volume, Segmentation(), LabelMap.on(volume, labels, named)).names
    assert len({name.casefold() for name in names.values()}) == 3


def test_what_is_not_there_is_said_of_the_structure_that_was_asked_for() -> None:
    with pytest.raises(SegmentationError, match=r"crown: 0\.00% of the scan"):
        marked(blocks(), "jaw; crown: teeth 2500")


def test_what_is_drawn_by_hand_belongs_to_the_nearest_structure() -> None:
    volume = blocks()
    at = seed(volume, 10, 10, 10), seed(volume, 36, 20, 15)
    found = marked(volume, f"radius @ {at[0]}; ulna @ {at[1]}")
    mask = found.mask.copy()
    mask[10, 10, 25], mask[10, 10, 30] = 1, 1
    mask[:, :12] = np.where(np.arange(50) < 20, 0, mask[:, :12])
    corrected = found.corrected(mask)
    assert np.array_equal(corrected.mask, mask)
    assert corrected.label_map.labels[10, 10, 25] == 1
    assert corrected.label_map.labels[10, 10, 30] == 2
    assert corrected.mask_of(1)[10, 10, 25]
    assert not corrected.mask_of(2)[10, 10, 25]
    with pytest.raises(SegmentationError, match="no voxel of ulna"):
        found.corrected((found.label_map.labels == 1).astype(np.uint8))


def _bodies_add_up(found: dict[str, object], whole_mm3: float, within_mm3: float) -> None:
    bodies = [solid(mesh.vertices, mesh.faces, name) for name, mesh in found.items()]  # type: ignore[attr-defined]
    assert sum(body.volume() for body in bodies) == pytest.approx(whole_mm3, abs=within_mm3)
    for n, one in enumerate(bodies):
        for other in bodies[n + 1 :]:
            assert abs((one ^ other).volume()) <= within_mm3


def test_structures_of_two_thresholds_share_their_boundary() -> None:
    """A ball of 1000 HU in -50 HU: the shell between two grey values, and what is within."""
    volume = ball_scan()
    both = HALF.model_copy(update={"structures": "core: teeth 800; ball: bone 475"})
    found = extract_structures(volume, structures_of(volume, both))
    alone = extract_structures(volume, structures_of(volume, HALF))
    assert found.whole.mesh.volume == pytest.approx(alone.whole.mesh.volume, rel=1e-3)
    _bodies_add_up(dict(found.meshes), found.whole.mesh.volume, 0.05)
    assert all(mesh.is_watertight for mesh in found.meshes.values())
    assert list(found.files) == ["surface.stl", "surface_core.stl", "surface_ball.stl"]
    assert {step.name for step in found.whole.steps} >= {
        "decimation of core",
        "decimation of ball",
    }
    assert 0 < found.decimation_mm <= HALF.decimation_bound_mm
    assert len({step.name for step in found.whole.steps}) == len(found.whole.steps)
    assert (list(alone.files), alone.parts) == (["surface.stl"], {})


def test_segments_of_a_given_mask_may_lie_at_two_thresholds() -> None:
    volume = ball_scan()
    labels = (volume.voxels > 475).astype(np.uint8)
    labels[:, :, labels.shape[2] // 2 :] *= 7
    labels[:, labels.shape[1] // 2 :][labels[:, labels.shape[1] // 2 :] == 7] = 9
    given = LabelMap.on(volume, labels, {n: Segment(f"part {n}") for n in (1, 7, 9)})
    asked = HALF.model_copy(update={"structures": "part 1: bone 600; part 7; part 9"})
    found = extract_structures(volume, structures_of(volume, asked, given))
    _bodies_add_up(dict(found.meshes), found.whole.mesh.volume, 0.05)
    assert all(mesh.volume > found.whole.mesh.volume / 6 for mesh in found.meshes.values())


def test_labels_of_a_given_mask_share_their_boundary() -> None:
    volume = ball_scan()
    labels = (volume.voxels > 475).astype(np.uint8)
    labels[:, :, labels.shape[2] // 2 :] *= 7
    given = LabelMap.on(volume, labels, {1: Segment("Left half"), 7: Segment("left-half")})
    found = extract_structures(volume, structures_of(volume, HALF, given))
    _bodies_add_up(dict(found.meshes), found.whole.mesh.volume, 1e-4)
    assert list(found.files) == ["surface.stl", "surface_left_half.stl", "surface_left_half_2.stl"]
    assert set(found.parts) == {"Left half", "left-half"}


@pytest.mark.parametrize("second", ["screw", "screw: teeth 800"])
def test_a_segment_too_small_to_be_printed_is_named(second: str) -> None:
    volume = ball_scan()
    labels = (volume.voxels > 475).astype(np.uint8)
    labels[0, 0, 0] = 2
    given = LabelMap.on(volume, labels, {1: Segment("femur"), 2: Segment("screw")})
    asked = HALF.model_copy(update={"structures": f"femur; {second}"})
    with pytest.raises(SegmentationError, match="screw") as caught:
        extract_structures(volume, structures_of(volume, asked, given))
    assert "printable size" in caught.value.expected


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (("Schädel", "../schadel"), ["surface_schadel.stl", "surface_schadel_2.stl"]),
        (("股骨", "$x^$"), ["surface_structure.stl", "surface_x.stl"]),
    ],
)
def test_a_name_of_any_letters_is_a_plain_file_name(
    names: tuple[str, str], files: list[str]
) -> None:
    volume = ball_scan()
    whole = extract_structures(volume, structures_of(volume, HALF))
    mesh = whole.whole.mesh
    several = StructureSurfaces(
        whole.whole, dict.fromkeys(names, mesh), dict.fromkeys(names, (1.0, 0.0, 0.0))
    )
    assert list(several.files)[1:] == files
