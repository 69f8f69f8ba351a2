"""Images by themselves that look as if they belonged to a stack."""

from collections.abc import Sequence

import numpy as np

from labkit.scan.image import Image
from labkit.scan.parts import MINIMUM_IMAGES, is_scout
from labkit.scan.series import Series

NEAR_STEPS = 1.5
"""How many steps from a stack an image still continues it."""


def name_strays(series: Sequence[Series]) -> None:
    """Add a finding to each usable series that an image of another series continues.

    One damaged Series Instance UID, and the last image of a stack is a series by itself:
    the stack alone would not show it.
    """
    alone = [
        image
        for one in series
        if len(one.images) < MINIMUM_IMAGES
        for image in one.images
        if not is_scout(image)
    ]
    for one in (one for one in series if one.refusal is None):
        near = sum(_continues(image, one) for image in alone)
        if near:
            one.findings += (
                f"{near} images that make no series of their own lie in line with this one: "
                "look whether they are its missing ends",
            )


def _continues(image: Image, series: Series) -> bool:
    geometry, direction = series.geometry, series.geometry.direction
    if not geometry.order or direction is None or series.spacing_mm is None:
        return False
    first = series.images[geometry.order[0]]
    if image.position_lps_mm is None or image.orientation is None or image.shape != first.shape:
        return False
    assert first.position_lps_mm is not None and geometry.along_mm is not None
    if np.abs(image.orientation - direction[:, :2].T.ravel()).max() > 1e-3:
        return False
    i_mm, j_mm, k_mm = (image.position_lps_mm - first.position_lps_mm) @ direction
    beside_mm = np.array([i_mm, j_mm]) - np.array(geometry.shear_mm_per_mm) * k_mm
    step_mm = series.spacing_mm[2]
    within = -NEAR_STEPS * step_mm < k_mm < geometry.along_mm[-1] + NEAR_STEPS * step_mm
    return bool(within and (np.abs(beside_mm) < series.spacing_mm[:2]).all())
