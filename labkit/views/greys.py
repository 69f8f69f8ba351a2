"""What the grey values of a scan are called, and the windows they are looked at through."""

import numpy as np

from labkit.volume import Volume

Window = tuple[float, float]
"""The darkest and the brightest grey value shown."""

# Level and width of bone to brain: https://radiopaedia.org/articles/windowing-ct
_HU: dict[str, Window] = {
    "bone and soft tissue": (-200.0, 1000.0),
    "bone": (-500.0, 1300.0),
    "soft tissue": (-150.0, 250.0),
    "lung": (-1350.0, 150.0),
    "brain": (0.0, 80.0),
}
_PERCENTILES = {
    "usual": (1.0, 99.0),
    "full range": (0.0, 100.0),
    "strong contrast": (10.0, 90.0),
    "bright parts": (50.0, 99.9),
}
_MOST_SAMPLES = 1_000_000


def unit_suffix(volume: Volume) -> str:
    """What follows a grey value: `` HU``, or nothing where it has no unit."""
    return " HU" if volume.unit == "HU" else ""


def windows(volume: Volume) -> dict[str, Window]:
    """Windows by name, the usual one first: in HU, or by percentiles where there is no unit."""
    if volume.unit == "HU":
        return dict(_HU)
    values = volume.voxels.ravel()  # a view; every n-th voxel tells as much as all of them
    sample = values[:: 1 + values.size // _MOST_SAMPLES]
    found = {}
    for name, share in _PERCENTILES.items():
        low, high = (float(round(value)) for value in np.percentile(sample, share))
        found[name] = (low, max(high, low + 1.0))
    return found
