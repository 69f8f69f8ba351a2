"""B4: every fault is found; what is corrected agrees with the truth.

The table of all faults: ``pytest tests/scan/test_faults.py -rP | grep '^|'``.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from labkit.errors import ScanError
from labkit.scan import Discovery, Series, choose, discover, read_volume
from labkit.volume import Array, Volume
from tests.scan.body import BALL_LPS_MM, MARKS_LPS_MM, RADIUS_MM, body
from tests.scan.faults import FAULTS, Fault

HALF_HU = 0.0
VOXELS, SHARE = 0.5, 0.002


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def _sampled(volume: Volume) -> Array:
    """The body on the volume's own voxels."""
    k, j, i = np.indices(volume.voxels.shape)
    return body(volume.to_lps(np.stack([i, j, k], axis=-1)))


def _ball(grey: Array, volume: Volume) -> tuple[Array, float]:
    """Centre (mm, LPS) and volume (voxels) of the ball at half height, on a grid of a quarter."""
    middle = np.rint(volume.to_ijk([BALL_LPS_MM])[0]).astype(int)[::-1]
    reach = np.ceil((RADIUS_MM + 2.5) / volume.spacing_mm[::-1]).astype(int)
    low = np.maximum(middle - reach, 0)
    part = grey[tuple(slice(a, b) for a, b in zip(low, middle + reach + 1, strict=True))]
    sizes = [4 * (size - 1) + 1 for size in part.shape]
    steps = np.meshgrid(*[np.arange(size) / 4 for size in sizes], indexing="ij")
    inside = ndimage.map_coordinates(part, steps, order=1) > HALF_HU
    labels, _ = ndimage.label(inside)
    counts = np.bincount(labels.ravel())[1:]
    ball = labels == int(counts.argmax()) + 1
    centre = np.array(ndimage.center_of_mass(ball)) / 4 + low
    return volume.to_lps([centre[::-1]])[0], float(counts.max()) / 64


def _agreement(volume: Volume) -> tuple[float, float]:
    """How far the ball lies from its place, in voxels, and by which share its volume differs."""
    centre, size = _ball(volume.voxels.astype(float), volume)
    _, true_size = _ball(_sampled(volume), volume)
    away = volume.to_ijk([centre])[0] - volume.to_ijk([BALL_LPS_MM])[0]
    return float(np.abs(away).max()), size / true_size - 1


def _marks(volume: Volume, places_lps_mm: Array) -> Array:
    """The grey values (HU) at the marks."""
    at = volume.to_ijk(places_lps_mm)[:, ::-1].T
    return np.asarray(ndimage.map_coordinates(volume.voxels.astype(float), at, order=1))


def _said(found: Discovery, series: Series) -> str:
    geometry = series.geometry
    said = (*found.notes, *geometry.findings, *geometry.corrections, *series.findings)
    return " | ".join(said)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_corrected_warned_of_or_refused(tmp_path: Path, name: str) -> None:
    fault: Fault = FAULTS[name]
    fault.write(tmp_path / "ct")
    if fault.outcome == "refused":
        with pytest.raises(ScanError) as caught:
            read_volume(choose(discover(tmp_path / "ct", limits=fault.limits).series))
        assert fault.says in caught.value.found
        assert "DOE" not in str(caught.value)
        sys.stdout.write(f"| {name} | refused | | | {caught.value.found} |\n")
        return
    found = discover(tmp_path / "ct", limits=fault.limits)
    series = choose(found.series)
    volume, said = read_volume(series), _said(found, series)
    assert np.linalg.det(volume.direction) == pytest.approx(1)
    assert fault.says in said
    if fault.outcome == "mirrored":
        assert _marks(volume, MARKS_LPS_MM)[0] < HALF_HU
        assert (_marks(volume, MARKS_LPS_MM * [-1, 1, 1]) > HALF_HU).all()
        assert "takes a mark of the side" in series.cross_checks[-1].says
        return
    voxels, share = _agreement(volume)
    row = (name, fault.outcome, f"{voxels:.3f} voxel", f"{share:+.3%}", said)
    sys.stdout.write(f"| {' | '.join(row)} |\n")
    assert voxels < VOXELS
    assert abs(share) < SHARE
    assert (_marks(volume, MARKS_LPS_MM) > HALF_HU).all()
    if fault.outcome == "true":
        assert not said
    if fault.outcome == "corrected":
        assert series.geometry.corrections


def test_at_least_forty_faults_are_kept_and_none_is_silent() -> None:
    outcomes = [fault.outcome for fault in FAULTS.values()]
    faulty = [outcome for outcome in outcomes if outcome != "true"]
    assert len(faulty) >= 40
    assert all(fault.says for fault in FAULTS.values() if fault.outcome not in ("true", "mirrored"))
