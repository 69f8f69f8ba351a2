"""Grey values that agree with the mask about what is inside, for the surface to be taken from."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labkit.segmentation.runs import Inside
from labkit.volume import AIR_HU, Array

GATE_BLUR = 1.0
"""Standard deviation, in the coarsest voxel spacing, that turns the steps of the mask into a
smooth surface where the mask, and not the grey value, ends the structure."""

LEAST_CONTRAST_HU = 100.0
"""Of structure against threshold, where the mask takes in what is darker."""

_REACH = 3.0
"""Of the blur, in standard deviations."""

_SLAB = 32


def follow_mask(
    hu: npt.NDArray[np.int16], inside: Inside, threshold_hu: int, spacing_mm: Array
) -> None:
    """Change the grey values (k, j, i), in HU, until they agree with the mask.

    What the mask leaves out becomes air, and what it adds lies just above the threshold.
    Where that meets the structure, or its surroundings, a blur of the mask takes the place of
    the grey values.
    """
    if all(((image > threshold_hu) == own).all() for image, own in zip(hu, inside, strict=True)):
        return
    above = hu > threshold_hu
    left_out, added = above > inside, inside > above
    typical_hu = float(np.median(hu[inside][::101]))
    contrast_hu = max(typical_hu - threshold_hu, LEAST_CONTRAST_HU)
    beside = ~(inside | above)
    del above
    if left_out.any():
        _ramp(hu, left_out, inside, (1, AIR_HU), threshold_hu, contrast_hu, spacing_mm)
    if added.any():
        _ramp(hu, added, beside, (-1, threshold_hu + 1), threshold_hu, contrast_hu, spacing_mm)


def _ramp(
    hu: npt.NDArray[np.int16],
    strange: Inside,
    beside: Inside,
    change: tuple[int, int],
    threshold_hu: int,
    contrast_hu: float,
    spacing_mm: Array,
) -> None:
    sign, far_hu = change
    region = _touching(strange, beside)
    if region is None:
        hu[strange] = far_hu
        return
    part = hu[region].copy()
    hu[strange] = far_hu
    for slab, share in _blurred(strange[region], spacing_mm):
        odd, other = strange[region][slab], beside[region][slab]
        ramp = (0.5 - share) * 2 * contrast_hu
        wanted = np.minimum(sign * (part[slab].astype(np.float32) - threshold_hu - 0.5), ramp)
        wanted[odd] = np.minimum(wanted[odd], -0.5)
        wanted[other] = np.maximum(wanted[other], 0.5)
        wanted = np.clip(np.rint(sign * wanted + threshold_hu + 0.5), -(2**15), 2**15 - 1)
        changed = odd | other
        hu[region][slab][changed] = wanted[changed].astype(np.int16)


def _touching(a: Inside, b: Inside) -> tuple[slice, ...] | None:
    """The box around all voxels of ``a`` that share a face with one of ``b``."""
    low, high = np.array(a.shape), np.zeros(3, int)
    for axis in range(3):
        first = tuple(slice(None, -1) if n == axis else slice(None) for n in range(3))
        second = tuple(slice(1, None) if n == axis else slice(None) for n in range(3))
        for here, there in ((first, second), (second, first)):
            found = a[here] & b[there]
            if found.any():
                place = ndimage.find_objects(found.view(np.uint8))[0]
                low = np.minimum(low, [part.start for part in place])
                high = np.maximum(high, [part.stop + 1 for part in place])
    if not high.any():
        return None
    return tuple(
        slice(max(int(start) - 5, 0), int(stop) + 5) for start, stop in zip(low, high, strict=True)
    )


def _blurred(voxels: Inside, spacing_mm: Array) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """The blurred mask, slab by slab along k: all at once takes many times its memory."""
    sigma = GATE_BLUR * spacing_mm.max() / spacing_mm[::-1]
    halo = int(np.ceil(_REACH * sigma[0])) + 1
    for start in range(0, len(voxels), _SLAB):
        first = max(start - halo, 0)
        stop = min(start + _SLAB, len(voxels))
        wide = voxels[first : stop + halo].astype(np.float32)
        blurred = ndimage.gaussian_filter(wide, sigma, mode="nearest", truncate=_REACH)
        yield slice(start, stop), blurred[start - first : stop - first]
