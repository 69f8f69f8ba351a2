"""What the grey values of a volume tell of its fitness: cheap, on a sample of its images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labkit.volume import Volume

BODY_HU, BONE_HU, METAL_HU = -300, 300, 3000
"""Levels between air and skin, soft tissue and bone, and above all tissue (labkit's own)."""

_SOFT_TISSUE_HU = (0, 100)
"""Where the noise is looked for (Christianson 2015, doi 10.2214/AJR.14.13613)."""

_SAMPLED, _ACROSS = 24, 256
"""How many images, and pixels across one, are enough (labkit's own)."""

_PATCH, _AROUND = 7, 3
"""Pixels along a patch whose noise is taken; steps on each side that a jump is held against."""

_SEEN_PERIMETER_MM = 20.0
"""An outline shorter than this is too small to tell motion from noise (labkit's own)."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Metal:
    """How much of the scan is denser than any tissue, and in which slices of the volume."""

    volume_mm3: float
    first: int
    last: int
    saturated: bool


@dataclass(frozen=True)
class Jump:
    """The largest jump of the outline, mm, and the slice (from 0) before it."""

    size_mm: float
    after: int


def noise_hu(volume: Volume) -> float | None:
    """The global noise level, HU; None where there is no soft tissue.

    The commonest standard deviation in patches of soft tissue (Christianson 2015, doi
    10.2214/AJR.14.13613; accuracy in heads, PMC9291315).
    """
    grey = _some(volume).astype(np.float32)
    mean = ndimage.uniform_filter(grey, (0, _PATCH, _PATCH))
    square = ndimage.uniform_filter(grey * grey, (0, _PATCH, _PATCH))
    low, high = _SOFT_TISSUE_HU
    soft = (mean > low) & (mean < high)
    if soft.sum() < _PATCH**3:
        return None
    deviation = np.sqrt(np.maximum(square[soft] - mean[soft] ** 2, 0))
    counts, edges = np.histogram(deviation, np.arange(0, 201))
    return float(edges[counts.argmax()] + 0.5)


def contrast_to_noise(volume: Volume, noise: float) -> float | None:
    """How far bone stands out from soft tissue, in units of the noise; None without both."""
    grey = _some(volume)
    bone = grey[grey > BONE_HU]
    soft = grey[(grey > _SOFT_TISSUE_HU[0]) & (grey < _SOFT_TISSUE_HU[1])]
    if not bone.size or not soft.size:
        return None
    return float((bone.mean() - np.median(soft)) / noise)


def body_cut_mm(volume: Volume) -> float:
    """Along how many mm, in the worst image, the body ends at the border of the field."""
    grey = _some(volume)
    cut = _at_border(grey > _body_level(volume), grey)
    return float(cut.sum(axis=(1, 2)).max() * volume.spacing_mm[:2].mean())


def bone_cut_mm2(volume: Volume) -> dict[str, float]:
    """How much bone runs out of the field of view, mm2, by where."""
    width, height, depth = volume.spacing_mm
    ends = {"first image": volume.voxels[0], "last image": volume.voxels[-1]}
    areas = {name: float((end > BONE_HU).sum() * width * height) for name, end in ends.items()}
    grey = _some(volume)
    share = len(volume.voxels) / len(grey)
    sides = _at_border(grey > BONE_HU, grey).sum() * (width + height) / 2 * depth * share
    return areas | {"sides of the images": float(sides)}


def metal_of(volume: Volume) -> Metal:
    """Voxels denser than any tissue, from which slice (from 0) to which.

    Saturated: many voxels have the very same highest value, so that what is denser
    cannot be told apart.
    """
    counts = np.array([np.count_nonzero(image >= METAL_HU) for image in volume.voxels])
    images = np.flatnonzero(counts)
    if not images.size:
        return Metal(0.0, 0, 0, saturated=False)
    highest = max(int(volume.voxels[k].max()) for k in images)
    alike = sum(int(np.count_nonzero(volume.voxels[k] == highest)) for k in images)
    total_mm3 = float(counts.sum() * np.prod(volume.spacing_mm))
    saturated = bool(alike > 1 + counts.sum() // 10)
    return Metal(total_mm3, int(images[0]), int(images[-1]), saturated)


def motion_of(volume: Volume) -> Jump | None:
    """Where the outline of the body jumps from one image to the next; None for few images.

    By how much the outline moves on average between two images, less the median of the
    steps around: anatomy changes gradually, a patient who moved leaves a single step.

    Restrictions
    ------------
    Motion within one turn of the tube leaves double contours and no step; things that
    end flat, as a block beside the patient, leave one too.
    """
    if len(volume.voxels) < 2 * _AROUND + 1:
        return None
    level, moved_mm = _body_level(volume), []
    stride = max(1, max(volume.voxels.shape[1:]) // _ACROSS)
    width, height = volume.spacing_mm[:2] * stride
    last: Bools | None = None
    last_mm = 0.0
    for image in volume.voxels:
        body = image[::stride, ::stride] > level
        edges = (body[:, 1:] ^ body[:, :-1]).sum() * height + (body[1:] ^ body[:-1]).sum() * width
        outline_mm = float(edges * np.pi / 4)  # of a staircase, as an outline in any direction
        if last is not None:
            shorter = max(min(outline_mm, last_mm), _SEEN_PERIMETER_MM)
            moved_mm.append(float((body ^ last).sum() * width * height / shorter))
        last, last_mm = body, outline_mm
    steps = np.array(moved_mm)
    jumps = [
        step - np.median(np.delete(steps[max(0, k - _AROUND) : k + _AROUND + 1], min(k, _AROUND)))
        for k, step in enumerate(steps)
    ]
    return Jump(float(max(jumps)), int(np.argmax(jumps)))


def _some(volume: Volume) -> npt.NDArray[np.int16]:
    """(n, j, i) int16: up to about 24 images, evenly spread."""
    return volume.voxels[:: max(1, len(volume.voxels) // _SAMPLED)]


def _body_level(volume: Volume) -> float:
    """The grey value between air and body."""
    if volume.unit == "HU":
        return BODY_HU
    low, high = np.percentile(_some(volume)[:, ::4, ::4], [2, 99])
    return float(low + 0.15 * (high - low))


def _at_border(inside: Bools, grey: npt.NDArray[np.int16]) -> Bools:
    """Where a thing touches the edge of an image, or the fill beyond its round field."""
    border = np.zeros_like(inside)
    border[:, [0, -1]] = True
    border[:, :, [0, -1]] = True
    corners = grey[:, [0, -1]][:, :, [0, -1]]
    if np.ptp(corners) == 0:
        fill = grey == corners[0, 0, 0]
        border |= ndimage.binary_dilation(fill, ndimage.generate_binary_structure(3, 1)[1:2])
    return np.asarray(inside & border)
