import time
from pathlib import Path

import nrrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from labkit.errors import ScanError
from labkit.volume import Volume, read_nrrd, write_nrrd

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
