"""The grey values of an image, decoded and rescaled."""

import warnings

import numpy as np
import numpy.typing as npt
import pydicom

from labkit.errors import ScanError
from labkit.scan.image import Image
from labkit.volume import AIR_HU


def grey_values(image: Image, number: int, total: int) -> npt.NDArray[np.int16]:
    """(rows, columns) int16: one image in the unit of its Modality LUT.

    Raises
    ------
    ScanError
        An image that is cut short or whose compression cannot be decoded; it is
        named as ``number`` of ``total``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(image.file.path)
            stored = dataset.pixel_array
        if stored.shape != image.shape:
            raise ValueError(f"{stored.shape[::-1]} pixels instead of {image.shape[::-1]}")
    except Exception as error:  # the decoders raise every kind, and all mean the same here
        raise ScanError(
            f"image {number} of {total} (in order along the patient) cannot be read: "
            f"{_first_sentence(error)}",
            expected="a whole file in a compression that can be decoded",
            where="the scan's source",
            fix="export the series again from the PACS; uncompressed or lossless",
        ) from error
    assert image.rescale is not None
    slope, intercept = image.rescale
    values = np.rint(stored * slope + intercept)
    padding = dataset.get("PixelPaddingValue")
    if isinstance(padding, int):
        values[stored == padding] = AIR_HU
    limits = np.iinfo(np.int16)
    return values.clip(limits.min, limits.max).astype(np.int16)


def _first_sentence(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words.split(". ")[0][:160]
