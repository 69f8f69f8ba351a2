"""Pieces from the runs of a mask, with cc3d as the judge."""

import cc3d
import numpy as np
import pytest

from labkit.segmentation.runs import Runs, connected_runs, runs_of

SHAPES = ((9, 11, 13), (1, 1, 5), (2, 20, 1), (1, 7, 9), (6, 1, 8))


def _numbers(runs: Runs) -> np.ndarray:
    """The piece of each voxel."""
    places = np.ndindex(runs.shape)
    return np.array([runs.at(*place) for place in places]).reshape(runs.shape)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_pieces_and_their_numbers_are_those_of_cc3d(
    shape: tuple[int, int, int], share: float
) -> None:
    mask = np.random.default_rng(1).random(shape) < share
    together = cc3d.connected_components(mask, connectivity=26, binary_image=True)
    apart = cc3d.connected_components(~mask, connectivity=6, binary_image=True)
    for expected, found in (
        (together, connected_runs(mask, corners=True)),
        (apart, connected_runs(mask, 1, corners=False)),
    ):
        assert (_numbers(found) == expected).all()
        assert found.sizes[1:].tolist() == np.bincount(expected.ravel())[1:].tolist()
        shell = expected.copy()
        shell[1:-1, 1:-1, 1:-1] = 0
        assert set(found.at_the_sides) == set(np.unique(shell)) - {0}


def test_the_pieces_of_an_array_of_numbers_are_its_numbers() -> None:
    values = np.random.default_rng(2).integers(0, 4, (5, 6, 7)).astype(np.uint16)
    runs = runs_of(values)
    assert (_numbers(runs) == values).all()
    kept = np.zeros(values.shape, np.bool_)
    runs.write(np.array([False, True, False, True]), kept)
    assert (kept == (values % 2 == 1)).all()
