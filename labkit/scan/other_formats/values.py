"""The grey values of a stored volume: judged plane by plane, then read."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from labkit.scan.other_formats.stored import StoredVolume, UnfitError
from labkit.volume import Unit

_PIECE_BYTES = 2**18

MAXIMUM_LABELS = 1024
"""More different values than any atlas has structures (labkit's own)."""

LABEL_UNIFORMITY = 0.6
"""Share of voxels with the value of their neighbour, above which values are labels.

labkit's own: two label maps at 3 mm have 0.85 and 0.90, five CT in 8 bits 0.23 to 0.40.
"""


@dataclass(frozen=True)
class Greys:
    """What the grey values of a whole volume tell.

    Parameters
    ----------
    unit : HU where there is air near −1000; a guess, since these formats do not say.
    findings : what a person should know, a sentence each.
    """

    unit: Unit
    findings: tuple[str, ...]


def judge(stored: StoredVolume) -> Greys:
    """The unit of a stored volume, read to its end; raises `UnfitError`."""
    smallest, largest, whole = np.inf, -np.inf, True
    present = np.zeros(65536, bool)
    voxels = air = filled = uniform = 0
    for plane in _greys(stored):
        smallest, largest = min(smallest, plane.min()), max(largest, plane.max())
        if largest > np.iinfo(np.int16).max or smallest < np.iinfo(np.int16).min:
            raise UnfitError(f"grey values from {smallest:g} to {largest:g}: more than 16 bits")
        rounded = np.rint(plane).astype(np.int16)
        whole = whole and bool((rounded == plane).all())
        present[rounded.ravel()] = True
        voxels += plane.size
        air += int(((rounded > -1100) & (rounded < -900)).sum())
        inside = rounded[:, 1:] != 0
        filled += int(inside.sum())
        uniform += int((inside & (rounded[:, 1:] == rounded[:, :-1])).sum())
    values = int(present.sum())
    if values == 1:
        raise UnfitError("one grey value everywhere")
    few = values <= MAXIMUM_LABELS and uniform > LABEL_UNIFORMITY * filled
    if stored.labels or (whole and smallest >= 0 and (values == 2 or few)):
        raise UnfitError(f"labels, not the grey values of a scan ({values} different values)")
    unit: Unit = "HU" if air > 1e-3 * voxels else "arbitrary"
    if unit == "arbitrary" and not whole and largest - smallest < 256:
        raise UnfitError(f"grey values from {smallest:g} to {largest:g} that are no whole numbers")
    findings = [
        "air near -1000: the grey values are taken for Hounsfield units, which is a guess"
        if unit == "HU"
        else "no air near -1000: the grey values have no known unit"
    ]
    if not whole:
        findings.append("grey values rounded to whole numbers, by 0.5 at most")
    return Greys(unit, tuple(findings))


def grey_voxels(
    stored: StoredVolume, reverse: bool, progress: Callable[[int, int], None] | None = None
) -> npt.NDArray[np.int16]:
    """(k, j, i) int16: the grey values of a volume that `judge` let pass."""
    voxels = np.empty(stored.shape, np.int16)
    for number, plane in enumerate(_greys(stored), 1):
        voxels[-number if reverse else number - 1] = np.rint(plane)
        if progress:
            progress(number, len(voxels))
    return voxels


def grey_plane(stored: StoredVolume, k: int) -> npt.NDArray[np.int16]:
    """(rows, columns) int16: one image, in stored order, of a volume that `judge` let pass."""
    plane: npt.NDArray[np.int16] = np.rint(next(islice(_greys(stored), k, None))).astype(np.int16)
    return plane


def _greys(stored: StoredVolume) -> Iterator[npt.NDArray[Any]]:
    slope, intercept = stored.rescale
    for plane in _planes(stored):
        with np.errstate(all="ignore"):
            greys = plane if stored.rescale == (1.0, 0.0) else plane * slope + intercept
        if greys.dtype.kind == "f" and not np.isfinite(greys).all():
            raise UnfitError("grey values that are no numbers (NaN or infinite)")
        yield greys


def _planes(stored: StoredVolume) -> Iterator[npt.NDArray[Any]]:
    """(rows, columns) as stored, one by one: never more of the values than a plane."""
    planes, rows, columns = stored.shape
    size = rows * columns * stored.dtype.itemsize
    skip = stored.skip if stored.packed == "file" else 0
    waiting, done = bytearray(), 0
    for piece in _pieces(stored):
        waiting += piece
        if skip:
            dropped = min(skip, len(waiting))
            skip -= dropped
            del waiting[:dropped]
        while len(waiting) >= size and done < planes:
            done += 1
            yield np.frombuffer(bytes(waiting[:size]), stored.dtype).reshape(rows, columns)
            del waiting[:size]
        if done == planes and waiting:
            raise UnfitError("more values than the header tells of")
    if done < planes:
        raise UnfitError(f"a file that is cut short: {done} of {planes} images")


def _pieces(stored: StoredVolume) -> Iterator[bytes]:
    content = memoryview(stored.values.read())
    if stored.packed != "file":
        content = content[stored.skip :]
    inflater = zlib.decompressobj(wbits=47)
    for start in range(0, len(content), _PIECE_BYTES):
        piece = bytes(content[start : start + _PIECE_BYTES])
        if stored.packed == "not":
            yield piece
            continue
        while piece:
            if inflater.eof:
                if not piece.strip(b"\0"):
                    break
                inflater = zlib.decompressobj(wbits=47)
            try:
                yield inflater.decompress(piece, 4 * _PIECE_BYTES)
            except zlib.error as error:
                raise UnfitError("deflated values that are damaged") from error
            piece = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if stored.packed != "not" and not inflater.eof:
        raise UnfitError("deflated values that are cut short")
