import time
from pathlib import Path

import nrrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from labkit.errors import ScanError
from labkit.volume import RAS_TO_LPS, Array, Volume, read_nrrd, write_nrrd

angle = st.floats(-180, 180)
millimetres = st.floats(0.1, 5)
place = st.floats(-500, 500)


def _volume(angles: tuple[float, ...], spacing: tuple[float, ...], at: tuple[float, ...]) -> Volume:
    hu = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return Volume(hu, np.array(at), np.array(spacing), direction, "2.25.1")


@given(
    st.tuples(angle, angle, angle),
    st.tuples(millimetres, millimetres, millimetres),
    st.tuples(place, place, place),
    st.lists(st.tuples(place, place, place), min_size=1, max_size=5),
)
def test_voxels_to_patient_and_back(
    angles: tuple[float, ...],
    spacing: tuple[float, ...],
    at: tuple[float, ...],
    points: list[tuple[float, ...]],
) -> None:
    volume = _volume(angles, spacing, at)
    assert np.allclose(volume.to_ijk(volume.to_lps(points)), points, atol=1e-6)
    assert np.linalg.det(volume.ijk_to_lps[:3, :3]) > 0


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(angle, angle, angle),
    st.tuples(millimetres, millimetres, millimetres),
    st.tuples(place, place, place),
)
def test_nrrd_keeps_values_and_place(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, ...],
    spacing: tuple[float, ...],
    at: tuple[float, ...],
) -> None:
    path = tmp_path_factory.mktemp("nrrd") / "volume.nrrd"
    volume = _volume(angles, spacing, at)
    write_nrrd(volume, path)
    back = read_nrrd(path)
    assert (back.voxels == volume.voxels).all()
    assert np.allclose(back.ijk_to_lps, volume.ijk_to_lps, atol=1e-6)
    assert back.frame_of_reference_uid == "2.25.1"


@given(
    st.tuples(angle, angle, angle),
    st.tuples(millimetres, millimetres, millimetres),
    st.tuples(place, place, place),
)
def test_to_ras_and_back_is_exact_and_mirrors_nothing(
    angles: tuple[float, ...], spacing: tuple[float, ...], at: tuple[float, ...]
) -> None:
    volume = _volume(angles, spacing, at)
    assert (RAS_TO_LPS @ volume.ijk_to_ras == volume.ijk_to_lps).all()
    assert np.linalg.det(volume.ijk_to_ras[:3, :3]) > 0
    first, left, back = volume.to_lps([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    for ijk, lps_mm in (((0, 0, 0), first), ((1, 0, 0), left), ((0, 1, 0), back)):
        assert np.allclose((volume.ijk_to_ras @ [*ijk, 1])[:3], lps_mm * [-1, -1, 1])


@given(st.tuples(angle, angle, angle), st.integers(0, 2))
def test_a_left_handed_volume_is_refused(angles: tuple[float, ...], axis: int) -> None:
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    direction[:, axis] *= -1
    with pytest.raises(ValueError, match="mirrored"):
        Volume(np.zeros((2, 3, 4), np.int16), np.zeros(3), np.ones(3), direction)


@pytest.mark.parametrize(
    ("origin", "spacing", "direction"),
    [
        ((0, 0, 0), (1, 1, 1), np.diag([1.0, 1.0, 0.9])),
        ((0, 0, 0), (1, 1, 1), np.array([[1.0, 0.1, 0], [0, 1, 0], [0, 0, 1]])),
        ((0, 0, 0), (1, 1, 1), np.full((3, 3), np.nan)),
        ((0, 0, 0), (1, 0, 1), np.eye(3)),
        ((0, np.nan, 0), (1, 1, 1), np.eye(3)),
    ],
)
def test_a_volume_that_lies_nowhere_is_refused(
    origin: tuple[float, ...], spacing: tuple[float, ...], direction: Array
) -> None:
    voxels = np.zeros((2, 3, 4), np.int16)
    with pytest.raises(ValueError, match=r"direction|spacing"):
        Volume(voxels, np.array(origin, float), np.array(spacing, float), direction)


def test_a_left_handed_nrrd_is_refused(tmp_path: Path) -> None:
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([1.0, 1.0, -1.0]),
        "space origin": np.zeros(3),
    }
    nrrd.write(str(tmp_path / "v.nrrd"), np.zeros((2, 2, 2), np.int16), header)
    with pytest.raises(ScanError, match="left-handed"):
        read_nrrd(tmp_path / "v.nrrd")


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    volume = _volume((10, 20, 30), (0.5, 0.5, 0.8), (1, 2, 3))
    write_nrrd(volume, tmp_path / "a.nrrd")
    time.sleep(1.1)  # pynrrd would write the time, to the second
    write_nrrd(volume, tmp_path / "b.nrrd")
    assert (tmp_path / "a.nrrd").read_bytes() == (tmp_path / "b.nrrd").read_bytes()


@pytest.mark.parametrize("content", [b"", b"NRRD0004\n", b"not a volume at all"])
def test_what_is_no_volume_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.nrrd").write_bytes(content)
    with pytest.raises(ScanError, match="cannot be read as a volume"):
        read_nrrd(tmp_path / "v.nrrd")


def test_a_volume_in_another_frame_is_refused(tmp_path: Path) -> None:
    header = {"space": "right-anterior-superior", "space directions": np.eye(3)}
    nrrd.write(str(tmp_path / "ras.nrrd"), np.zeros((2, 2, 2), np.int16), header)
    with pytest.raises(ScanError, match="not in LPS"):
        read_nrrd(tmp_path / "ras.nrrd")
