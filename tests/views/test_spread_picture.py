import numpy as np
import trimesh

from labkit import views


def test_a_spread_is_coloured_from_nought_and_described() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=10)
    spread = np.where(ball.vertices[:, 0] > 0, 0.4, 0.0)
    one, none = (
        views.surface(ball, frame="plate", spread_mm=values) for values in (spread, spread * 0)
    )
    assert "coloured by its spread from 0 to 0.4 mm" in one.alt
    assert one.png != none.png
