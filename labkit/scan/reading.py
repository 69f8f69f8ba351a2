"""From a usable series to its volume."""

from collections.abc import Callable

import numpy as np

from labkit.home import pseudonym_uid
from labkit.scan.pixels import grey_values
from labkit.scan.series import Series
from labkit.volume import Volume


def read_volume(series: Series, progress: Callable[[int, int], None] | None = None) -> Volume:
    """The volume of a usable series: int16, LPS mm, always right-handed.

    Raises
    ------
    ScanError
        An image that is cut short or whose compression cannot be decoded.
    """
    geometry = series.geometry
    if series.refusal or geometry.spacing_mm is None:
        raise ValueError(f"series {series.key} is refused: {series.refusal}")
    images = [series.images[index] for index in geometry.order]
    first = images[0]
    assert first.orientation is not None and first.position_lps_mm is not None
    voxels = np.empty((len(images), *first.shape), np.int16)
    for number, image in enumerate(images):
        voxels[number] = grey_values(image, number + 1, len(images))
        if progress:
            progress(number + 1, len(images))
    i, j = first.orientation[:3], first.orientation[3:]
    return Volume(
        voxels=voxels,
        origin_lps_mm=first.position_lps_mm,
        spacing_mm=np.array(geometry.spacing_mm),
        direction=np.column_stack([i, j, np.cross(i, j)]),
        frame_of_reference_uid=pseudonym_uid(series.frame_of_reference_uid),
    )
