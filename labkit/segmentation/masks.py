"""Which voxels belong to the structure."""

import cc3d
import numpy as np
import numpy.typing as npt

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.segmentation.presets import check_threshold
from labkit.volume import Volume


def segment(volume: Volume, parameters: Segmentation) -> npt.NDArray[np.uint8]:
    """The mask (k, j, i) uint8 of the structure: 1 inside, 0 outside.

    Voxels above the threshold; of these the largest connected pieces (26
    neighbours); enclosed cavities up to ``fill_holes_mm3`` filled.

    Restrictions
    ------------
    Touching bones are one piece.  Metal and contrast agent lie above the threshold too.

    Raises
    ------
    SegmentationError
        Nothing, or nearly everything, lies above the threshold; or the grey values are
        not in HU, so that a threshold in HU means nothing.
    """
    check_threshold(parameters)
    _check_unit(volume)
    above = volume.voxels > parameters.threshold_hu
    share = float(above.mean())
    if not 1e-6 < share < 0.999:
        raise SegmentationError(
            f"{share:.2%} of the scan lies above {parameters.threshold_hu} HU",
            expected="a structure that stands out from its surroundings",
            where=f"grey values from {volume.voxels.min()} to {volume.voxels.max()} HU",
            fix="choose a threshold inside that range, or another series",
        )
    mask = (cc3d.largest_k(above, k=parameters.components, connectivity=26) > 0).astype(np.uint8)
    mask[_small_cavities(mask, volume, parameters.fill_holes_mm3)] = 1
    return mask


def edges_touched(mask: npt.NDArray[np.uint8]) -> list[str]:
    """Which sides of the field of view the structure runs into: it is cut off there."""
    sides = {
        "first image": mask[0],
        "last image": mask[-1],
        "first row": mask[:, 0],
        "last row": mask[:, -1],
        "first column": mask[:, :, 0],
        "last column": mask[:, :, -1],
    }
    return [name for name, side in sides.items() if side.any()]


def _check_unit(volume: Volume) -> None:
    if volume.unit != "HU":
        raise SegmentationError(
            "a scan whose grey values have no physical unit (MR, or a file of unknown origin)",
            expected="grey values in HU, in which threshold_hu is given",
            where="01_scan/volume.nrrd",
            fix="import a CT of the region, or segment this scan in another program",
        )


def _small_cavities(
    mask: npt.NDArray[np.uint8], volume: Volume, limit_mm3: float
) -> npt.NDArray[np.bool_]:
    outside = cc3d.connected_components(mask == 0, connectivity=6)
    sizes_mm3 = np.bincount(outside.ravel()) * float(np.prod(volume.spacing_mm))
    fill = sizes_mm3 <= limit_mm3
    fill[0] = False  # the structure itself
    for side in (
        outside[0],
        outside[-1],
        outside[:, 0],
        outside[:, -1],
        outside[:, :, 0],
        outside[:, :, -1],
    ):
        fill[np.unique(side)] = False
    return np.asarray(fill[outside])
