"""A volume as another tool stored it, and what makes it fit to be one of the patient."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

import numpy as np

from labkit.scan.sources import File
from labkit.volume import FARTHEST_MM, MAXIMUM_VOXELS, VOXEL_MM, Array, spacing_of

MAXIMUM_HEADER_BYTES = 2**22
"""Headers of some tools carry their whole history."""

TOLERANCE_VOXELS = 0.1
"""How far two ways to say where a corner lies may be apart (labkit's own)."""


class UnfitError(Exception):
    """Why a file cannot become a true volume, in the lab's words; never leaves this room."""


@dataclass(frozen=True)
class StoredVolume:
    """Where the values of a volume are, what they mean and where they lie in the patient.

    Parameters
    ----------
    shape : (k, j, i), voxels.
    dtype : of the stored values, with their byte order.
    ijk_to_lps : (4, 4) float64: voxel index (i, j, k, 1) to LPS mm; axes at right
        angles, left-handed where the file is.
    values : the file that holds the values.
    skip : bytes before them.
    packed : whether nothing, only the values, or the whole file is deflated.
    rescale : slope and intercept from stored to grey values.
    labels : whether the header says that the values are labels.
    findings : what a person should know, a sentence each.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    ijk_to_lps: Array
    values: File
    skip: int
    packed: Literal["not", "values", "file"] = "not"
    rescale: tuple[float, float] = (1.0, 0.0)
    labels: bool = False
    findings: tuple[str, ...] = ()


def stored_volume(*, shape: tuple[int, int, int], ijk_to_lps: Array, **told: Any) -> StoredVolume:
    """A `StoredVolume` in a place that can be; raises `UnfitError`."""
    if not np.isfinite(ijk_to_lps).all() or np.abs(ijk_to_lps).max() > FARTHEST_MM:
        raise UnfitError("a place in the patient that is not a number")
    spacing = spacing_of(ijk_to_lps)
    if spacing.min() < VOXEL_MM[0] or spacing.max() > VOXEL_MM[1]:
        raise UnfitError(f"voxels of {' × '.join(f'{size:.3g}' for size in spacing)} mm")
    left, _, right = np.linalg.svd(ijk_to_lps[:3, :3] / spacing)
    straight = ijk_to_lps.copy()
    straight[:3, :3] = left @ right * spacing
    if apart(straight, ijk_to_lps, shape) > TOLERANCE_VOXELS:
        raise UnfitError("axes that are not at right angles (sheared, as by a gantry tilt)")
    return StoredVolume(shape=shape, ijk_to_lps=straight, **told)


def apart(one: Array, other: Array, shape: tuple[int, int, int]) -> float:
    """How far apart two places put a corner of the volume, in the smallest spacing."""
    corners = np.array([[i, j, k, 1] for k in (0, 1) for j in (0, 1) for i in (0, 1)], float)
    corners[:, :3] *= np.array(shape[::-1]) - 1
    distances = np.linalg.norm(corners @ (one - other).T, axis=1)
    return float(distances.max() / max(float(spacing_of(one).min()), VOXEL_MM[0]))


def shape_of(sizes: Iterable[float]) -> tuple[int, int, int]:
    """(k, j, i) of the sizes along i, j, k and of axes of length 1 after them."""
    lengths = list(sizes)
    if any(length != 1 for length in lengths[3:]):
        raise UnfitError(f"{len(lengths)} axes (time, channels or vectors), not one volume")
    if len(lengths) < 3 or not all(1 <= length <= MAXIMUM_VOXELS for length in lengths):
        raise UnfitError("no volume of three axes")
    i, j, k = (int(length) for length in lengths[:3])
    if math.prod((i, j, k)) > MAXIMUM_VOXELS:
        raise UnfitError(f"{i} × {j} × {k} voxels, more than {MAXIMUM_VOXELS}")
    return k, j, i


def beside(header: File, name: str) -> File:
    """The file of values that a header names, if it is a plain file beside the header."""
    if PurePath(name).name != name or re.search(r"[\\:%\s\0]", name) or name in ("LIST", ".."):
        raise UnfitError("a header whose values are in several files or in another folder")
    if header.member is not None:
        raise UnfitError("a header without its values, in a zip: unpack it")
    path = header.path.with_name(name)
    if path.is_symlink() or not path.is_file():
        raise UnfitError("a header whose file of values is not beside it")
    return File(path, header.number, header.total)
