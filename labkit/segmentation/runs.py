"""A mask as its runs: stretches of voxels along i, between which connected pieces are found.

A number for each voxel takes four bytes of it, and more time to write than to find.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled, in_threads

Inside = npt.NDArray[np.bool_]
"""(k, j, i): a mask while it is worked on."""

_Ints = npt.NDArray[np.int32]

_SLABS = 4


@dataclass(frozen=True)
class Runs:
    """The runs of an array (k, j, i), and the piece that each is part of.

    Parameters
    ----------
    shape : of the array.
    row : (k j + 1,) int32: the first run of each row, and how many there are.
    begin, end : (n,) int32: the first voxel of each run along i, and the first after it.
    piece : (n,) int32, from 1.
    """

    shape: tuple[int, int, int]
    row: _Ints
    begin: _Ints
    end: _Ints
    piece: _Ints

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """How many voxels each piece has; none for 0."""
        return np.bincount(self.piece, self.end - self.begin).astype(np.int64)

    @property
    def at_the_sides(self) -> npt.NDArray[np.int32]:
        """The pieces that reach a side of the array."""
        planes, rows, voxels = self.shape
        k, j = np.divmod(np.repeat(np.arange(len(self.row) - 1), np.diff(self.row)), rows)
        end = (k == 0) | (k == planes - 1) | (j == 0) | (j == rows - 1)
        return np.unique(self.piece[end | (self.begin == 0) | (self.end == voxels)])

    def at(self, k: int, j: int, i: int) -> int:
        """The piece that a voxel is part of; 0 for none."""
        row = k * self.shape[1] + j
        here = slice(self.row[row], self.row[row + 1])
        return int(self.piece[here][(self.begin[here] <= i) & (i < self.end[here])].sum())

    def write(self, keep: Inside, mask: Inside) -> None:
        """Set a mask of that shape wherever a piece is kept, by its number."""
        _write(self.row, self.begin, self.end, keep[self.piece], mask)


def runs_of(values: npt.NDArray[Any], without: int = 0) -> Runs:
    """The runs of equal values (k, j, i) other than one; each value is a piece."""
    rows = values.shape[1]
    row = np.zeros(len(values) * rows + 1, np.int32)
    slabs = [part for part in np.array_split(np.arange(len(values)), _SLABS) if len(part)]

    def count(slab: npt.NDArray[np.int64]) -> None:
        first, last = slab[0], slab[-1] + 1
        _count(values[first:last], without, row[first * rows + 1 : last * rows + 1])

    def find(slab: npt.NDArray[np.int64]) -> None:
        first, last = slab[0], slab[-1] + 1
        _find(values[first:last], without, row[first * rows : last * rows], begin, end, piece)

    in_threads(count, slabs)
    np.cumsum(row, out=row)
    begin, end, piece = (np.empty(row[-1], np.int32) for _ in range(3))
    in_threads(find, slabs)
    return Runs((len(values), rows, values.shape[2]), row, begin, end, piece)


def connected_runs(values: npt.NDArray[Any], without: int = 0, *, corners: bool) -> Runs:
    """The runs of a mask, joined to pieces that are numbered by their first voxel in the scan.

    Pieces hang together by faces, or by edges and corners too.
    """
    runs = runs_of(values, without)
    _join(runs.row, runs.begin, runs.end, runs.shape[1], int(corners), runs.piece)
    return runs


@compiled
def _count(values: npt.NDArray[Any], without: int, counts: _Ints) -> None:
    rows = values.shape[1]
    for k in range(values.shape[0]):
        for j in range(rows):
            count = int(values[k, j, 0] != without)
            for i in range(1, values.shape[2]):
                value = values[k, j, i]
                count += (value != values[k, j, i - 1]) & (value != without)
            counts[k * rows + j] = count


@compiled
def _find(
    values: npt.NDArray[Any], without: int, row: _Ints, begin: _Ints, end: _Ints, piece: _Ints
) -> None:
    planes, rows, voxels = values.shape
    for k in range(planes):
        for j in range(rows):
            n, i = row[k * rows + j], 0
            while i < voxels:
                value, first = values[k, j, i], i
                i += 1
                while i < voxels and values[k, j, i] == value:
                    i += 1
                if value != without:
                    begin[n], end[n], piece[n] = first, i, value
                    n += 1


@compiled
def _join(row: _Ints, begin: _Ints, end: _Ints, rows: int, reach: int, piece: _Ints) -> None:
    """Number the runs by the piece they are part of; ``reach`` is 1 where corners join."""
    for n in range(len(piece)):
        piece[n] = n
    for here in range(len(row) - 1):
        k, j = here // rows, here % rows
        if j > 0:
            _join_rows(row, begin, end, here, here - 1, reach, piece)
        if k > 0:
            for there in range(max(j - reach, 0), min(j + reach, rows - 1) + 1):
                _join_rows(row, begin, end, here, (k - 1) * rows + there, reach, piece)
    total = 0
    for n in range(len(piece)):  # a root comes before all that hang from it
        if piece[n] == n:
            total += 1
            piece[n] = total
        else:
            piece[n] = piece[piece[n]]


@compiled
def _join_rows(
    row: _Ints, begin: _Ints, end: _Ints, here: int, there: int, reach: int, piece: _Ints
) -> None:
    a, b = row[here], row[there]
    while a < row[here + 1] and b < row[there + 1]:
        if begin[a] < end[b] + reach and begin[b] < end[a] + reach:
            one, two = _root(piece, a), _root(piece, b)
            piece[max(one, two)] = min(one, two)
        if end[a] < end[b]:
            a += 1
        else:
            b += 1


@compiled
def _root(piece: _Ints, n: int) -> int:
    while piece[n] != n:
        piece[n] = piece[piece[n]]
        n = piece[n]
    return n


@compiled
def _write(row: _Ints, begin: _Ints, end: _Ints, keep: Inside, mask: Inside) -> None:
    rows = mask.shape[1]
    for here in range(len(row) - 1):
        for n in range(row[here], row[here + 1]):
            if keep[n]:
                mask[here // rows, here % rows, begin[n] : end[n]] = True
