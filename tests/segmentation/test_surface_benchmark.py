"""The truth of the surface benchmark is one, and the surface keeps to it at a small size."""

from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

from labkit.parameters import Segmentation
from labkit.segmentation import extract_surface, segment
from labkit.volume import Volume
from tests.conftest import PROJECT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return import_module("surface")


def test_the_truth_grows_by_one_millimetre_a_millimetre(script: ModuleType) -> None:
    """So it is a distance: near every body, but for the places between two."""
    places = np.random.default_rng(0).uniform([-110, -110, 20], [110, 110, 220], (200_000, 3))
    here = script.true_mm(*places.T)
    step = 1e-4
    slope = [(script.true_mm(*(places + step * axis).T) - here) / step for axis in np.eye(3)]
    near = np.abs(here) < 0.5
    assert near.sum() > 1000
    assert np.linalg.norm(slope, axis=0)[near] == pytest.approx(1, abs=1e-3)


def test_the_surface_of_the_ring_lies_where_the_formula_has_it(script: ModuleType) -> None:
    first_k, first_j, first_i = 125, 180, 60
    hu = np.stack(
        [script.formula_hu(k)[first_j:330, first_i:260] for k in range(first_k, first_k + 75)]
    )
    spacing = np.array([0.5, 0.5, 0.8])
    origin = np.array([-128, -128, 0]) + spacing * [first_i, first_j, first_k]
    volume = Volume(hu, origin, spacing, np.eye(3))
    parameters = Segmentation(threshold_hu=600)
    surface = extract_surface(volume, segment(volume, parameters), parameters)
    assert surface.handles == 1
    errors = script.error_columns(surface.mesh)
    assert float(errors["mean_mm"]) < 0.02
    assert float(errors["p95_mm"]) < 0.05
