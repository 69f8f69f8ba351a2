"""From a usable series to its volume."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from labkit.errors import ScanError
from labkit.home import pseudonym_uid
from labkit.scan.decoding import Decoders, workers
from labkit.scan.image import Image
from labkit.scan.other_formats import read_other
from labkit.scan.pixels import BeyondError, GreyValues
from labkit.scan.resampling import resampled
from labkit.scan.series import Series
from labkit.volume import AIR_HU, Unit, Volume

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


def read_volume(series: Series, progress: Progress | None = None) -> Volume:
    """The volume of a usable series: int16, LPS mm, always right-handed.

    What was kept in memory of the source is let go at the end.

    Raises
    ------
    ScanError
        An image that is cut short, whose compression cannot be decoded, or whose grey
        values cannot be true.
    """
    geometry = series.geometry
    if series.refusal or geometry.spacing_mm is None:
        raise ValueError(f"series {series.key} is refused: {series.refusal}")
    if series.other:
        return read_other(series.other, progress)
    assert geometry.origin_lps_mm is not None and geometry.direction is not None
    images = [series.images[index] for index in geometry.order]
    stack, findings = _stack(images, series.unit, progress)
    series.findings += findings
    images[0].file.kept.clear()
    return Volume(
        voxels=resampled(stack, geometry, fill=AIR_HU if series.unit == "HU" else 0),
        origin_lps_mm=geometry.origin_lps_mm,
        spacing_mm=np.array(geometry.spacing_mm),
        direction=geometry.direction,
        frame_of_reference_uid=pseudonym_uid(series.frame_of_reference_uid),
        unit=series.unit,
    )


def _stack(
    images: Sequence[Image], unit: Unit, progress: Progress | None
) -> tuple[npt.NDArray[np.int16], tuple[str, ...]]:
    """(n, rows, columns) int16, and what was found in the pixels, a sentence each.

    Grey values without a unit are divided by the largest slope, which keeps the steps
    that are stored, and once more where that does not fit into 16 bits.
    """
    slopes = [abs(image.rescale[0]) for image in images if image.rescale]
    stored = 1.0 if unit == "HU" else max(slopes, default=1.0)
    divisor = stored
    for _ in range(2):
        try:
            stack, values = _filled(images, unit, divisor, progress)
            break
        except BeyondError as beyond:
            divisor *= beyond.factor
    else:
        raise ScanError(
            "grey values that no 16 bits hold",
            expected="grey values of a scanner",
            where=f"{len(images)} images",
            fix="export the series again: its rescale is wrong",
        )
    findings = []
    if divisor != stored:
        findings.append(f"grey values were divided by {divisor / stored:g} to fit into 16 bits")
    if values.too_low:
        findings.append(f"{values.too_low} pixels lay below -32768 HU and are set to it: no tissue")
    if values.kept:
        findings.append(
            f"{values.kept} pixels away from the border have the value that should mean "
            "outside the image: taken as they are"
        )
    return stack, tuple(findings)


def _filled(
    images: Sequence[Image], unit: Unit, divisor: float, progress: Progress | None
) -> tuple[npt.NDArray[np.int16], GreyValues]:
    stack = np.empty((len(images), *images[0].shape), np.int16)

    def fill(number: int) -> None:
        image = images[number]
        values.read(image, number + 1, len(images), stack[number])
        if image.frames == 1:
            image.file.kept.release(image.file.number)

    with Decoders() as decoders, ThreadPoolExecutor(workers()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = GreyValues(unit, divisor, decoders)
        try:
            for number, _ in enumerate(pool.map(fill, range(len(images))), 1):
                if progress:
                    progress(number, len(images))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return stack, values
