"""How far points lie from lines drawn in the same layer."""

from typing import Any

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_PIECE_MM = _CELL_MM = 1.0
_TIE_MM = 1e-9


class Lines:
    """Straight lines in layers, to which the nearest is found quickly.

    Parameters
    ----------
    start, end : (n, 2) float64, mm.
    layer : (n,) whole numbers: a line is near only to points of its own layer.
    reach_mm : how far is looked; what lies farther away has the distance infinity.
    """

    def __init__(
        self, start: Array, end: Array, layer: npt.NDArray[np.integer[Any]], reach_mm: float
    ) -> None:
        self.reach_mm = reach_mm
        length = np.hypot(*(end - start).T)
        count = np.maximum(np.ceil(length / _PIECE_MM).astype(np.int64), 1)
        whole = np.repeat(np.arange(len(count)), count)
        number = np.arange(len(whole)) - np.repeat(np.cumsum(count) - count, count)
        way = (end - start) / count[:, None]
        a = start[whole] + way[whole] * number[:, None]
        b = a + way[whole]
        middle = (a + b) / 2
        self._low = middle.min(axis=0) if len(middle) else np.zeros(2)
        self._layers = int(layer.max()) + 1 if len(layer) else 0
        cells = ((middle - self._low) // _CELL_MM).astype(np.int64)
        self._size = cells.max(axis=0) + 1 if len(cells) else np.zeros(2, np.int64)
        key = (layer[whole] * self._size[1] + cells[:, 1]) * self._size[0] + cells[:, 0]
        order = np.argsort(key, kind="stable")
        self._a, self._b, self._whole = a[order], b[order], whole[order]
        total = self._layers * int(self._size.prod())
        self._first = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=total))])

    def nearest(
        self, points: Array, layer: npt.NDArray[np.integer[Any]]
    ) -> tuple[Array, Whole, Array]:
        """Distance, which line, and on which side of it, for points (n, 2), mm.

        Returns
        -------
        distance : (n,) float64, mm; infinity beyond the reach.
        line : (n,) int64, the row of the nearest line; −1 beyond the reach.
        side : (n,) float64: positive to the right of the line as it runs, which is outside
            of outlines that run anticlockwise around the material.
        """
        distance, line, side = _nearest(
            np.ascontiguousarray(points, np.float64),
            np.ascontiguousarray(layer, np.int64),
            self._a,
            self._b,
            self._whole,
            self._first,
            self._size,
            self._layers,
            self._low,
            self.reach_mm,
        )
        return distance, line, side


@compiled
def _nearest(
    points: Array,
    layer: Whole,
    a: Array,
    b: Array,
    whole: Whole,
    first: Whole,
    size: Whole,
    layers: int,
    low: Array,
    reach: float,
) -> tuple[Array, Whole, Array]:
    n = len(points)
    distance = np.full(n, np.inf)
    line = np.full(n, -1, np.int64)
    side = np.zeros(n)
    for i in range(n):
        if layer[i] < 0 or layer[i] >= layers:
            continue
        x, y = points[i, 0], points[i, 1]
        column = int(np.floor((x - low[0]) / _CELL_MM))
        row = int(np.floor((y - low[1]) / _CELL_MM))
        best = reach
        across_best = 0.0
        for ring in range(int(np.ceil((reach + _PIECE_MM / 2) / _CELL_MM)) + 1):
            # what lies farther out than this ring cannot be nearer
            if best <= (ring - 1) * _CELL_MM - _PIECE_MM / 2:
                break
            for r in range(max(row - ring, 0), min(row + ring + 1, size[1])):
                step = 1 if abs(r - row) == ring else max(2 * ring, 1)
                for c in range(column - ring, column + ring + 1, step):
                    if c < 0 or c >= size[0]:
                        continue
                    key = (layer[i] * size[1] + r) * size[0] + c
                    for k in range(first[key], first[key + 1]):
                        dx, dy = b[k, 0] - a[k, 0], b[k, 1] - a[k, 1]
                        ex, ey = x - a[k, 0], y - a[k, 1]
                        square = dx * dx + dy * dy
                        share = (ex * dx + ey * dy) / square if square > 0 else 0.0
                        share = min(max(share, 0.0), 1.0)
                        far = np.hypot(ex - share * dx, ey - share * dy)
                        if far > best + _TIE_MM:
                            continue
                        across = (ex * dy - ey * dx) / np.sqrt(square) if square > 0 else 0.0
                        # at a corner two lines are equally near: the one seen less
                        # obliquely decides
                        if far < best - _TIE_MM or line[i] < 0 or abs(across) > abs(across_best):
                            across_best = across
                            best = min(best, far)
                            line[i] = whole[k]
        if line[i] >= 0:
            distance[i] = best
            side[i] = np.sign(across_best)
    return distance, line, side


def samples(start: Array, end: Array, step_mm: float) -> tuple[Array, Whole]:
    """Points along lines, in the middle of equal steps, and the row of each point's line.

    Parameters
    ----------
    start, end : (n, 2) float64, mm.
    step_mm : the longest step; a shorter line has one point, in its middle.
    """
    way = end - start
    count = np.maximum(np.ceil(np.hypot(*way.T) / step_mm).astype(np.int64), 1)
    line = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    share = (number + 0.5) / count[line]
    return start[line] + way[line] * share[:, None], line
