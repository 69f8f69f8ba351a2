"""Where it failed is shown, and the error goes on."""

from typing import Any

import numpy as np
import pytest

from labkit import views
from labkit.errors import SegmentationError
from labkit.segmentation import SurfaceError
from labkit.views import failures
from labkit.volume import Volume

VOLUME = Volume(np.zeros((10, 12, 14), np.int16), np.zeros(3), np.ones(3), np.eye(3))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    pictures: list[Any] = []
    monkeypatch.setattr(failures, "display", pictures.append)
    return pictures


def test_the_planes_go_through_the_first_place(shown: list[Any]) -> None:
    error = SurfaceError("x", expected="y", where="z", fix="w")
    error.places_lps_mm = np.array([[3.0, 4.0, 7.0], [0.0, 0.0, 0.0]])
    with pytest.raises(SurfaceError), views.where_it_fails(VOLUME):
        raise error
    (picture,) = shown
    assert "Where it fails: 1 of 2 places" in picture.alt
    at = np.array([3.0, 4.0, 7.0])
    assert (
        picture.png
        == views.slices(VOLUME, point_lps_mm=at, title="Where it fails: 1 of 2 places").png
    )


def test_an_error_without_a_place_goes_on_alone(shown: list[Any]) -> None:
    with pytest.raises(SegmentationError), views.where_it_fails(VOLUME):
        raise SegmentationError("x", expected="y", where="z", fix="w")
    with views.where_it_fails(VOLUME):
        pass
    assert shown == []
