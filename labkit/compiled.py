"""Functions that go over millions of places, compiled on first use by numba, in threads."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function in machine code, which is kept beside the module or in the user's cache.

    Where neither can be written it is compiled anew in each process.
    """
    # "numpy": a division by 0 gives an infinity.  Looking for it would double the code.
    try:
        made = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba finds no folder for its cache
        made = njit(nogil=True, error_model="numpy")(function)
    return cast("Callable[P, R]", made)


@compiled
def grouped(
    members: npt.NDArray[np.int32], group: npt.NDArray[np.int32], count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The members by their group, in their order, and where each of ``count`` groups begins."""
    start = np.zeros(count + 2, np.int32)
    for n in range(len(members)):
        start[group[n] + 2] += 1
    for key in range(2, len(start)):
        start[key] += start[key - 1]
    order = np.empty(len(members), np.int32)
    for n in range(len(members)):
        order[start[group[n] + 1]] = members[n]
        start[group[n] + 1] += 1
    return order, start[:-1]


@compiled
def mean_of(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(3,): the mean of points (n, 3), as ``points.mean(axis=0)``, which is 20 times as slow."""
    total = np.zeros(3)
    for n in range(len(points)):
        for axis in range(3):
            total[axis] += points[n, axis]
    return total / len(points)


@compiled
def bounds_of(
    points: npt.NDArray[np.float64], some: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(3,) each: the lowest and the highest corner of the box around some of points (n, 3)."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for n in some:
        for axis in range(3):
            low[axis] = min(low[axis], points[n, axis])
            high[axis] = max(high[axis], points[n, axis])
    return low, high


def in_threads(work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """What the work gives for each part, in their order; compiled functions run side by side."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(work, parts))


BLOCK = 1 << 17
"""Rows.  Not by the number of processors: sums by block are the same on every machine."""


def in_blocks(work: Callable[[int, int], R], rows: int) -> list[R]:
    """What the work gives for each block of rows, from its first row to before its last."""
    return in_threads(lambda begin: work(begin, min(begin + BLOCK, rows)), range(0, rows, BLOCK))
