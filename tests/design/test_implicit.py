import numpy as np
import pytest

from labkit.design.implicit import CELLS, SAMPLING_ERROR, Cell, Grid, below, cell, solid_of
from labkit.surface import mesh_of


@pytest.mark.parametrize("name", CELLS)
def test_the_mesh_of_a_cell_has_the_porosity_of_its_level(name: str) -> None:
    made_of = cell(name)
    for porosity in (0.5, 0.8):
        count, error = made_of.sampling((porosity,))
        assert abs(error) <= SAMPLING_ERROR
        values = made_of.samples(80)
        values = np.abs(values) if made_of.sheet else values
        assert (values >= made_of.level(porosity)).mean() == pytest.approx(porosity, abs=0.004)
        assert made_of.sampling_error(porosity, count) == pytest.approx(error)


@pytest.mark.parametrize(
    ("name", "area"), [("gyroid", 3.0915), ("schwarz p", 2.3451), ("schwarz d", 3.8377)]
)
def test_level_sets_have_nearly_the_area_of_the_minimal_surface(name: str, area: float) -> None:
    # Areas of the surfaces themselves per cell of side 1, from their Weierstrass integrals.
    assert cell(f"{name} network").level(0.5) == pytest.approx(0, abs=0.01)
    assert cell(f"{name} network").area(0.5) == pytest.approx(area, rel=0.012)
    assert cell(f"{name} sheet").area(0.95) == pytest.approx(2 * area, rel=0.012)


def test_sampling_error_falls_with_the_square_of_the_step() -> None:
    for name in ("gyroid network", "schwarz d sheet", "iwp network"):
        coarse, fine = (abs(cell(name).sampling_error(0.8, count)) for count in (12, 36))
        assert fine < coarse / 4, name


def test_cubic_struts_have_the_volume_of_three_crossed_cylinders() -> None:
    for porosity in (0.6, 0.8, 0.9):
        radius = float(cell("cubic struts").level(porosity))
        volume = 3 * np.pi * radius**2 - 8 * np.sqrt(2) * radius**3
        assert 1 - volume == pytest.approx(porosity, abs=0.003)


def test_cells_repeat_without_a_seam() -> None:
    grid = Grid.over(((10, 20, 30), (16, 26, 36)), 3.0, 16)
    values = grid.values(cell("gyroid sheet"))
    assert np.array_equal(values[:16], values[16:32])
    x, y, z = (axis / 3 for axis in grid.axes())
    exact = CELLS["gyroid sheet"]((x - 10 / 3)[:, None, None], (y - 20 / 3)[:, None], z - 10)
    assert np.allclose(values, exact, atol=1e-5)


def test_a_ball_by_its_distance_is_closed_and_right() -> None:
    at = np.arange(-12, 12.1, 0.5)
    values = np.sqrt(at[:, None, None] ** 2 + at[:, None] ** 2 + at**2) - 10
    body = below(values.astype(np.float32), np.full(3, -12.0), 0.5)
    assert body.volume() == pytest.approx(4000 / 3 * np.pi, rel=0.002)
    assert mesh_of(body).is_watertight
    cut = below((values - 5).astype(np.float32), np.full(3, -12.0), 0.5)  # beyond the grid
    assert mesh_of(cut).is_watertight and cut.volume() > body.volume()
    assert below(np.ones((4, 4, 4), np.float32), np.zeros(3), 1.0).is_empty()


def test_a_sheet_thinner_than_a_step_keeps_its_thickness() -> None:
    thin = Cell("plane", lambda x, y, z: np.sin(2 * np.pi * x) + 0 * y + 0 * z, sheet=True)
    grid = Grid.over(((0, 0, 0), (1, 1, 1)), 1.0, 40)
    level = np.float32(np.sin(2 * np.pi * 0.002))  # two walls of 0.004; a step is 0.025
    mesh = mesh_of(solid_of(thin, grid, level))
    across = np.prod(mesh.extents[1:])
    # At 0, 1/2 and 1.
    assert mesh.volume / across / 3 == pytest.approx(0.004, rel=0.03)
