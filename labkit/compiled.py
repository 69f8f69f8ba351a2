"""Functions that go over millions of places, compiled on first use by numba, in threads."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

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


def in_threads(work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """What the work gives for each part, in their order; compiled functions run side by side."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(work, parts))
