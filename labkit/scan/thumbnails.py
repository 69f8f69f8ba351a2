"""A small picture of a series."""

import numpy as np
import numpy.typing as npt

from labkit.errors import ScanError
from labkit.scan.other_formats import other_image
from labkit.scan.pixels import grey_values
from labkit.scan.series import Series

THUMBNAIL_PIXELS = 96
WINDOW_HU = (-250.0, 1250.0)
"""Soft tissue in dark grey, bone in light grey."""


def thumbnail(series: Series) -> npt.NDArray[np.uint8]:
    """(≤ 96, ≤ 96) uint8: the middle image of a series, in true proportion; 0 is dark.

    All dark where the image cannot be decoded.  Hounsfield units have a fixed window;
    other grey values one from their 1st to their 99th percentile.
    """
    if not series.images:
        return np.zeros((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), np.uint8)
    order = series.geometry.order or tuple(range(len(series.images)))
    image = series.images[order[len(order) // 2]]
    if image.problem or min(image.shape) < 1:
        return np.zeros((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), np.uint8)
    try:
        values = (
            other_image(series.other, image.frame)
            if series.other
            else grey_values(image, 1, 1, series.unit)
        ).astype(np.float64)
    except ScanError:
        return np.zeros((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), np.uint8)
    down_mm, across_mm = image.pixel_spacing_mm or (1.0, 1.0)
    sizes_mm = np.array(values.shape) * (down_mm, across_mm)
    rows, columns = np.maximum(1, np.rint(THUMBNAIL_PIXELS * sizes_mm / sizes_mm.max())).astype(int)
    at_rows = (np.arange(rows) + 0.5) * values.shape[0] // rows
    at_columns = (np.arange(columns) + 0.5) * values.shape[1] // columns
    small = values[np.ix_(at_rows.astype(int), at_columns.astype(int))]
    low, high = WINDOW_HU if series.unit == "HU" else np.percentile(small, (1, 99))
    return ((small - low) / max(high - low, 1) * 255).clip(0, 255).astype(np.uint8)
