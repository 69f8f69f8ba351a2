"""One of two tool paths that are compared: what it lays down in each layer that both have."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from labkit.slicing.layering import layers_of
from labkit.slicing.nearness import Lines, samples
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

SAMPLE_MM = 0.25
CELL_MM = 1.0


class Side:
    """One of the two files: what is laid down in each of the layers of both."""

    def __init__(self, path: Toolpath) -> None:
        self.path = path
        self.rows = np.flatnonzero(path.extruding)
        self.own = layers_of(path, path.extruding)
        self.layer: Whole = np.empty(0, np.int64)
        self.layers = 0

    def place(self, number: Whole, layers: int) -> None:
        """Take over the numbers of the layers that both files have together."""
        self.layer, self.layers = number[self.own.of_move[self.rows]], layers

    def total(self, values: Array) -> Array:
        """(layers,) float64: the sum of a value of each move over each layer."""
        return np.bincount(self.layer, values[self.rows], self.layers).astype(float)

    @cached_property
    def length(self) -> Array:
        """(layers,) float64, mm, of all lines."""
        return self.total(self.path.distance_mm)

    def mean(self, values: Array) -> Array:
        """Over the lines of each layer, by their length."""
        return self.total(values * self.path.distance_mm) / np.maximum(self.length, 1e-12)

    @cached_property
    def bounds(self) -> Array:
        """(layers, 4) float64: least and largest x and y of each layer's lines."""
        found = np.tile([np.inf, np.inf, -np.inf, -np.inf], (self.layers, 1))
        for points in (self.path.start[self.rows], self.path.end[self.rows]):
            for axis in (0, 1):
                np.minimum.at(found[:, axis], self.layer, points[:, axis])
                np.maximum.at(found[:, 2 + axis], self.layer, points[:, axis])
        return found

    @cached_property
    def first_line(self) -> Whole:
        """(layers,) int64, of the file."""
        found = np.zeros(self.layers, np.int64)
        found[self.layer[::-1]] = self.path.line[self.rows[::-1]]
        return found

    @cached_property
    def sampled(self) -> tuple[Array, Whole, Whole]:
        """Points along all lines (n, 2), the row of their move, and their layer."""
        rows = self.rows
        points, line = samples(self.path.start[rows, :2], self.path.end[rows, :2], SAMPLE_MM)
        return points, rows[line], self.layer[line]

    def lines(self, reach_mm: float) -> Lines:
        """All lines, to find the nearest of them within a reach."""
        rows = self.rows
        return Lines(self.path.start[rows, :2], self.path.end[rows, :2], self.layer, reach_mm)

    @cached_property
    def primed(self) -> Array:
        """(layers,) float64: filament pushed on the spot until the last line of each layer."""
        path = self.path
        level = np.cumsum(np.where(path.extruding, 0.0, path.extruded_mm))
        found = np.zeros(self.layers)
        found[self.layer] = level[self.rows]
        return found

    @cached_property
    def lowest(self) -> Array:
        """(layers,) float64: the lowest end of any move from each layer's begin on."""
        current = np.searchsorted(self.rows, np.arange(len(self.path.line)), side="right") - 1
        known = current >= 0
        found = np.full(self.layers, np.inf)
        np.minimum.at(found, self.layer[current[known]], self.path.end[known, 2])
        return found

    @cached_property
    def order(self) -> Whole:
        """The layers in the order in which they are printed."""
        turns = np.flatnonzero(np.diff(self.layer)) + 1
        return self.layer[np.r_[0, turns]] if len(self.layer) else self.layer


FILAMENT_MM2 = np.pi * (1.75 / 2) ** 2


def deposits(side: Side, low: Array, both: npt.NDArray[np.bool_], wide: int) -> list[Array]:
    """Of each layer the filament (mm) in the cells of a lattice, ``wide`` cells a row."""
    points, rows, layer = side.sampled
    number = np.bincount(rows, minlength=len(side.path.line))
    amount = (side.path.extruded_mm / np.maximum(number, 1))[rows]
    order = np.argsort(layer, kind="stable")
    cuts = np.cumsum(np.bincount(layer, minlength=side.layers))[:-1]
    found: list[Array] = []
    for number_, mine in enumerate(np.split(order, cuts)):
        if not both[number_] or not len(mine):
            found.append(np.zeros(1))
            continue
        place = (points[mine] - low) / CELL_MM + 1
        corner = np.floor(place).astype(np.int64)
        share = place - corner
        keys, weights = [], []
        for down in (0, 1):
            for right in (0, 1):
                x = share[:, 0] if right else 1 - share[:, 0]
                y = share[:, 1] if down else 1 - share[:, 1]
                keys.append((corner[:, 1] + down) * wide + corner[:, 0] + right)
                weights.append(amount[mine] * x * y)
        found.append(np.bincount(np.concatenate(keys), np.concatenate(weights)).astype(float))
    return found


def per_sample(side: Side, rows: Whole) -> Array:
    """(n,) float64, mm: of what length of its line each sampled point stands."""
    number = np.bincount(rows, minlength=len(side.path.line))
    return (side.path.distance_mm / np.maximum(number, 1))[rows]
