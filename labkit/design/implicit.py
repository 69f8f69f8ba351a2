"""Periodic cells as level sets, and closed bodies from them.

A cell is a function s(x, y, z) of period one; the solid is where s < level.  Sheets are
meshed as what lies between two smooth surfaces, so that a wall far thinner than the
sampling keeps its thickness.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import manifold3d
import numpy as np
import numpy.typing as npt

from labkit.design.part import Box
from labkit.surface import contour, solid
from labkit.volume import Array

Field = npt.NDArray[np.float32]

SAMPLING_ERROR = 0.01
"""Porosity by which the mesh of one cell may miss its formula: half of what a lattice may
miss its target by; the project's own bound."""
_SAMPLES = (16, 20, 24, 32, 40, 48)
_PHASE = 0.37
"""Keeps samples off the planes of symmetry, where a value may be exactly the level."""
_FINE = 64


@dataclass(frozen=True)
class Cell:
    """One period of a porous structure.

    Parameters
    ----------
    name : as the parameters have it.
    function : of coordinates in periods, any shapes that broadcast; smooth.
    sheet : the solid is where the amount of s is below the level, a wall; else where s is.
    """

    name: str
    function: Callable[[Array, Array, Array], Array]
    sheet: bool = False

    def samples(self, count: int) -> Field:
        """(count, count, count) float32: one period, the way a larger `Grid` repeats it."""
        at = (np.arange(count) + _PHASE) / count
        x, y, z = at[:, None, None], at[None, :, None], at[None, None, :]
        return np.ascontiguousarray(
            np.broadcast_to(self.function(x, y, z), (count,) * 3), np.float32
        )

    @cached_property
    def _table(self) -> Array:
        values = self.samples(_FINE)
        return np.sort((np.abs(values) if self.sheet else values).ravel()).astype(float)

    def level(self, porosity: npt.ArrayLike) -> Array:
        """The level that leaves so much of the cell empty: its quantile over the cell."""
        return np.asarray(np.quantile(self._table, 1 - np.asarray(porosity, float)))

    def levels(self, porosity: Field) -> Field:
        """The same for a whole field, (any shape) float32, by a table of 1 in 1,000."""
        steps = np.linspace(0, 1, 1001)
        return np.interp(porosity, steps, self.level(steps)).astype(np.float32)

    def _unit(self, porosity: float, count: int) -> manifold3d.Manifold:
        grid = Grid.over(((0, 0, 0), (1, 1, 1)), 1.0, count)
        return solid_of(self, grid, np.float32(self.level(porosity))) ^ manifold3d.Manifold.cube(
            (1, 1, 1)
        )

    def sampling_error(self, porosity: float, count: int) -> float:
        """Porosity of the mesh of one cell of so many samples, less the porosity asked for."""
        return float(1 - self._unit(porosity, count).volume() - porosity)

    def sampling(self, porosities: tuple[float, ...]) -> tuple[int, float]:
        """The fewest samples along a cell that keep `SAMPLING_ERROR`, and the error then.

        The finest sampling there is, with its error, where none does.
        """
        for count in _SAMPLES:
            worst = max((self.sampling_error(each, count) for each in set(porosities)), key=abs)
            if abs(worst) <= SAMPLING_ERROR:
                break
        return count, worst

    def area(self, porosity: float) -> float:
        """Surface between solid and void of one cell of side 1."""
        body = self._unit(porosity, _SAMPLES[-1])
        area = body.surface_area()
        mesh = body.to_mesh64()
        points = np.array(mesh.vert_properties)[:, :3]
        corners = points[np.array(mesh.tri_verts, np.int64)]
        edges = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        for axis, side in product(range(3), (0.0, 1.0)):  # the faces of the cube are cuts
            on = (np.abs(corners[:, :, axis] - side) < 1e-9).all(axis=1)
            area -= np.linalg.norm(edges[on], axis=1).sum() / 2
        return float(area)


@dataclass(frozen=True)
class Grid:
    """Samples at ``start + index`` steps of a periodic cell: x first, mm.

    Parameters
    ----------
    origin_mm : (3,) where a period of the cell begins.
    cell_mm : length of a period.
    count : samples along a period.
    start, shape : (3,) the first sample, and how many there are.
    """

    origin_mm: Array
    cell_mm: float
    count: int
    start: npt.NDArray[np.int64]
    shape: tuple[int, int, int]

    @classmethod
    def over(cls, box: Box, cell_mm: float, count: int) -> "Grid":
        """The samples of a box and two steps beyond; a period begins at its low corner."""
        low, high = np.asarray(box[0], float), np.asarray(box[1], float)
        steps = np.ceil((high - low) / cell_mm * count).astype(int)
        x, y, z = (steps + 5).tolist()
        return cls(low, cell_mm, count, np.full(3, -2), (x, y, z))

    @property
    def spacing_mm(self) -> float:
        """Between samples."""
        return self.cell_mm / self.count

    @property
    def first_mm(self) -> Array:
        """(3,) where the first sample is."""
        return np.asarray(self.origin_mm + (self.start + _PHASE) * self.spacing_mm)

    def axes(self) -> tuple[Array, Array, Array]:
        """The coordinates of the samples along x, y and z, mm."""
        x, y, z = (
            first + np.arange(n) * self.spacing_mm
            for first, n in zip(self.first_mm, self.shape, strict=True)
        )
        return x, y, z

    def values(self, cell: Cell) -> Field:
        """(x, y, z) float32: the cell's function at the samples."""
        index = [
            (a + np.arange(n)) % self.count for a, n in zip(self.start, self.shape, strict=True)
        ]
        return np.ascontiguousarray(cell.samples(self.count)[np.ix_(*index)])


def solid_of(cell: Cell, grid: Grid, level: Field | np.float32) -> manifold3d.Manifold:
    """The solid of a cell over a grid, closed at the grid's border, in the grid's frame.

    ``level`` is one number, or one at each sample.
    """
    values = grid.values(cell)
    outer = below(values - level, grid.first_mm, grid.spacing_mm)
    return outer - below(values + level, grid.first_mm, grid.spacing_mm) if cell.sheet else outer


def below(values: Field, first_mm: Array, spacing_mm: float) -> manifold3d.Manifold:
    """Where values (x, y, z) are below zero, as a closed body: flying edges.

    The border of the grid closes it.  Nothing below zero gives an empty body.
    """
    if not (values < 0).any():
        return manifold3d.Manifold()
    closed = np.pad(values, 1, constant_values=np.float32(max(abs(values.min()), 1e-3)))
    points, triangles = contour(closed.T, 0.0, first=first_mm - spacing_mm, spacing=spacing_mm)
    return solid(points, triangles[:, ::-1], "the level set")  # outwards is up


def _gyroid(x: Array, y: Array, z: Array) -> Array:
    return _sin(x) * _cos(y) + _sin(y) * _cos(z) + _sin(z) * _cos(x)


def _schwarz_p(x: Array, y: Array, z: Array) -> Array:
    return _cos(x) + _cos(y) + _cos(z)


def _schwarz_d(x: Array, y: Array, z: Array) -> Array:
    return _cos(x) * _cos(y) * _cos(z) - _sin(x) * _sin(y) * _sin(z)


def _iwp(x: Array, y: Array, z: Array) -> Array:
    pairs = _cos(x) * _cos(y) + _cos(y) * _cos(z) + _cos(z) * _cos(x)
    return _cos(2 * x) + _cos(2 * y) + _cos(2 * z) - 2 * pairs


def _sin(turns: Array) -> Array:
    return np.asarray(np.sin(2 * np.pi * turns))


def _cos(turns: Array) -> Array:
    return np.asarray(np.cos(2 * np.pi * turns))


def _struts(nodes: tuple[tuple[float, float, float], ...], length: float) -> Callable[..., Array]:
    """Distance from the lines that join all nodes so far apart, in periods."""
    shifts = np.array(list(product((-1, 0, 1), repeat=3)), float)
    points = (np.array(nodes)[:, None] + shifts).reshape(-1, 3)
    a, b = np.triu_indices(len(points), 1)
    joined = np.isclose(np.linalg.norm(points[a] - points[b], axis=1), length)
    ends = np.stack([points[a[joined]], points[b[joined]]], axis=1)
    near = (ends.max(axis=1) > -0.01).all(axis=1) & (ends.min(axis=1) < 1.01).all(axis=1)

    def distance(x: Array, y: Array, z: Array) -> Array:
        nearest: Array = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), np.inf)
        for start, end in ends[near]:
            along = (end - start) / length
            from_start = (x - start[0], y - start[1], z - start[2])
            done = sum(p * q for p, q in zip(from_start, along, strict=True))
            t = np.clip(done, 0, length)
            square = sum((p - t * q) ** 2 for p, q in zip(from_start, along, strict=True))
            nearest = np.minimum(nearest, square)
        return np.asarray(np.sqrt(nearest))

    return distance


_FACE_CENTRED = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))
_SECOND = tuple((x + 0.25, y + 0.25, z + 0.25) for x, y, z in _FACE_CENTRED)


@cache
def cell(name: str) -> Cell:
    """The cell of a name in `CELLS`."""
    kind, _, form = name.rpartition(" ")
    return Cell(name, CELLS[name], form == "sheet") if kind else Cell(name, CELLS[name])


_SURFACES: dict[str, Callable[..., Array]] = {
    "gyroid": _gyroid,
    "schwarz p": _schwarz_p,
    "schwarz d": _schwarz_d,
    "iwp": _iwp,
}
CELLS: dict[str, Callable[..., Array]] = {
    **{f"{name} {form}": f for name, f in _SURFACES.items() for form in ("sheet", "network")},
    "cubic struts": _struts(((0.0, 0.0, 0.0),), 1.0),
    "body-centred struts": _struts(((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), 0.75**0.5),
    "octet struts": _struts(_FACE_CENTRED, 0.5**0.5),
    "diamond struts": _struts((*_FACE_CENTRED, *_SECOND), 0.1875**0.5),
}
"""Cells by name.  Nodal approximations of the surfaces: doi 10.1371/journal.pone.0238471,
table 1 (gyroid, P and D; D in its shifted, two-term form), and doi 10.1002/mdp2.205 (I-WP)."""
