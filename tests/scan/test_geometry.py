"""Stacks that need no files: positions and orientations only."""

from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from labkit.scan.contradictions import cross_checks
from labkit.scan.facts import SeriesFacts
from labkit.scan.geometry import Geometry, Limits, geometry_of
from labkit.scan.image import Image
from labkit.scan.planes import anatomical, axes_of
from labkit.scan.sources import File
from labkit.volume import Array

SHAPE, PIXEL = (40, 50), (0.6, 0.5)
angle = st.floats(-180, 180)


def stack_of(
    along_mm: npt.ArrayLike, shear: tuple[float, float] = (0.0, 0.0), turn: Array | None = None
) -> list[Image]:
    """Images at places along their normal (mm), drifting by ``shear`` along i and j."""
    axes = np.eye(3) if turn is None else turn
    return [
        Image(
            file=File(Path("image")),
            frame=k,
            sop_instance_uid=str(k),
            position_lps_mm=axes @ [shear[0] * along, shear[1] * along, along],
            orientation=np.concatenate([axes[:, 0], axes[:, 1]]),
            pixel_spacing_mm=PIXEL,
            shape=SHAPE,
            frame_of_reference_uid="1.2.3",
            rescale=(1.0, 0.0),
        )
        for k, along in enumerate(np.asarray(along_mm, float))
    ]


@given(st.tuples(angle, angle, angle), st.randoms())
def test_a_stack_in_any_direction_and_order_is_right_handed_and_in_place(
    angles: tuple[float, float, float], random: Random
) -> None:
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    images = stack_of(np.arange(10) * 1.25, turn=turn)
    random.shuffle(images)
    geometry = geometry_of(images, Limits())
    assert geometry.refusal is None
    assert [images[index].frame for index in geometry.order] == list(range(10))
    assert geometry.spacing_mm == pytest.approx((0.5, 0.6, 1.25))
    assert geometry.direction is not None and geometry.origin_lps_mm is not None
    assert np.allclose(geometry.direction, turn)
    assert np.allclose(geometry.origin_lps_mm, 0)
    assert not geometry.corrections


@given(st.tuples(angle, angle, angle), st.floats(-0.6, 0.6), st.floats(-0.3, 0.3))
def test_the_canvas_of_a_sheared_stack_holds_every_pixel_and_no_more(
    angles: tuple[float, float, float], along_i: float, along_j: float
) -> None:
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    images = stack_of(np.arange(20) * 2.0, (along_i, along_j), turn)
    geometry = geometry_of(images, Limits())
    assert geometry.refusal is None
    assert geometry.direction is not None and geometry.origin_lps_mm is not None
    assert geometry.shape is not None and geometry.spacing_mm is not None
    corners = np.array([image.position_lps_mm for image in images])
    first = (corners - geometry.origin_lps_mm) @ geometry.direction / geometry.spacing_mm
    last = first[:, :2] + np.array(SHAPE[::-1])
    room = np.array(geometry.shape[:0:-1])
    assert first[:, :2].min() > -0.11
    assert (last.max(axis=0) < room + 0.11).all()
    assert (last.max(axis=0) > room - 1.11).all()


def test_a_small_tilt_that_adds_up_over_a_long_stack_is_seen() -> None:
    geometry = geometry_of(stack_of(np.arange(300) * 1.25, (0, np.tan(np.radians(0.4)))), Limits())
    assert geometry.tilt_deg == pytest.approx(0.4)
    assert geometry.largest_shift_mm == pytest.approx(2.61, abs=0.01)
    assert "sheared by 0.4°" in geometry.findings[0]


def test_a_tenth_of_a_pixel_is_not_worth_a_resampling() -> None:
    geometry = geometry_of(stack_of(np.arange(20) * 1.0, (0.002, 0)), Limits())
    assert (geometry.shear_mm_per_mm, geometry.corrections) == ((0, 0), ())


def test_missing_images_are_made_up_only_when_asked_and_never_two_in_a_row() -> None:
    full = np.arange(40) * 0.8
    assert "1 image missing" in str(geometry_of(stack_of(np.delete(full, 7)), Limits()).refusal)
    asked = Limits(interpolate_missing=True)
    geometry = geometry_of(stack_of(np.delete(full, [7, 20])), asked)
    assert (geometry.missing, geometry.interpolated) == ((7, 20), (7, 20))
    assert geometry.shape == (40, *SHAPE)
    assert geometry.spacing_mm is not None and geometry.spacing_mm[2] == pytest.approx(0.8)
    for indices in ([7, 8], [3, 9, 20]):
        refused = geometry_of(stack_of(np.delete(full, indices)), asked)
        assert "too many to be made up" in str(refused.refusal)


def test_many_missing_images_are_no_change_of_spacing() -> None:
    full = np.arange(40) * 0.8
    scattered = geometry_of(stack_of(np.delete(full, np.r_[2:38:3])), Limits())
    assert "12 images missing" in str(scattered.refusal)
    zones = geometry_of(stack_of(np.concatenate([full[:15], full[16::2]])), Limits())
    assert zones.refusal is None
    assert zones.missing == () and zones.interpolated


@pytest.mark.parametrize(("largest_mm", "refused"), [(2.5, False), (1.9, True)])
def test_varying_gaps_are_evened_up_to_the_limit(largest_mm: float, refused: bool) -> None:
    along = np.concatenate([np.arange(10) * 1.3, 11.7 + 2.0 * np.arange(1, 6)])
    geometry = geometry_of(stack_of(along), Limits(largest_gap_mm=largest_mm))
    assert (geometry.refusal is not None) == refused
    if not refused:
        assert geometry.spacing_mm is not None and geometry.shape is not None
        assert geometry.spacing_mm[2] * (geometry.shape[0] - 1) == pytest.approx(along[-1])
        assert geometry.missing == ()


def test_the_data_of_a_geometry_are_plain_and_name_nobody() -> None:
    data = geometry_of(stack_of(np.arange(5) * 1.0, (0.2, 0)), Limits()).as_dict()
    assert data["tilt_deg"] == pytest.approx(11.31, abs=0.01)
    assert not any(isinstance(value, np.ndarray) for value in data.values())
    assert "order" not in data


def test_directions_have_their_letters() -> None:
    assert [anatomical(np.array(v, float)) for v in ((1, 0, 0), (0, -1, 0), (0, 0.9, -0.4))] == [
        "L",
        "A",
        "PF",
    ]


def test_cosines_of_few_decimals_become_a_square_direction() -> None:
    image = stack_of(
        np.zeros(1), turn=Rotation.from_euler("x", 20, degrees=True).as_matrix().round(3)
    )[0]
    axes = axes_of(image)
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)


def _checks(facts: SeriesFacts) -> dict[str, str]:
    images = stack_of(np.arange(10))
    geometry = geometry_of(images, Limits())
    return {check.tag: check.outcome for check in cross_checks(facts, images, geometry)}


def test_tags_that_fit_the_geometry_agree() -> None:
    facts = SeriesFacts(
        modality="CT",
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        patient_orientation=("L", "PF"),
        patient_position="FFS",
        reconstruction_diameter_mm=25.0,
        gantry_tilt_deg=0.0,
        spacing_between_slices_mm=-1.0,
        slice_thickness_mm=1.0,
        frame_of_reference_uid="1.2.3",
    )
    outcomes = _checks(facts)
    assert outcomes.pop("Side") == "note"
    assert outcomes.pop("Pixel Spacing") == "action"  # 0.5 × 0.6 mm
    assert set(outcomes.values()) == {"agrees"}
    assert len(outcomes) == 6


@pytest.mark.parametrize(
    ("facts", "tag", "outcome"),
    [
        ({"patient_orientation": ("R", "P")}, "Patient Orientation", "refuse"),
        ({"reconstruction_diameter_mm": 30.0}, "Reconstruction Diameter", "refuse"),
        ({"reconstruction_diameter_mm": 256.0}, "Reconstruction Diameter", "action"),
        ({"gantry_tilt_deg": 12.0}, "Gantry/Detector Tilt", "refuse"),
        ({"patient_position": "HFP"}, "Patient Position", "action"),
        ({"slice_thickness_mm": 0.5}, "Slice Thickness", "action"),
    ],
)
@pytest.mark.parametrize("derived", [False, True])
def test_tags_that_do_not_fit_are_told(
    facts: dict[str, object], tag: str, outcome: str, derived: bool
) -> None:
    kind = ("DERIVED" if derived else "ORIGINAL", "PRIMARY")
    found = _checks(SeriesFacts(modality="CT", image_type=kind, **facts))  # type: ignore[arg-type]
    scanner_only = tag in ("Reconstruction Diameter", "Gantry/Detector Tilt")
    if derived and tag == "Patient Position":
        assert tag not in found
    else:
        assert found[tag] == ("action" if derived and scanner_only else outcome)


@pytest.mark.parametrize(
    ("said", "outcome"), [(("P", "F"), "action"), (("R", "P"), "refuse"), (("L", "P"), "agrees")]
)
def test_what_derived_images_kept_of_their_source_is_no_mirror(
    said: tuple[str, str], outcome: str
) -> None:
    facts = SeriesFacts(image_type=("DERIVED", "SECONDARY", "MPR"), patient_orientation=said)
    assert _checks(facts)["Patient Orientation"] == outcome


def test_the_diameter_of_a_cone_beam_may_be_of_another_shape() -> None:
    facts = SeriesFacts(
        modality="CT",
        manufacturer="NewTom",
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        reconstruction_diameter_mm=30.0,
    )
    assert _checks(facts)["Reconstruction Diameter"] == "action"


def test_nothing_is_held_against_a_refused_geometry() -> None:
    assert cross_checks(SeriesFacts(), [], Geometry(refusal="no")) == ()
