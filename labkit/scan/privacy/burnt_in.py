"""Text that somebody's software drew into the pixels.

A header cannot be trusted with it (Burned In Annotation is optional, and often wrong), so
the pixels are looked at.  Nothing is read: what is looked for is a line of strokes of one
brightness and one height, with edges as no scanner draws them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labkit.volume import Volume

PLANES_LOOKED_AT = 16
"""Images of a stack that are looked at one by one; all others count in the projection."""

_FEWEST_GLYPHS = 5
"""Fewer are a side mark or a part of the anatomy more often than a name or a number."""
_CONTRASTS = (0.12, 0.3)
"""Of the plane's range of grey values: thick letters touch each other at the lower one."""
_STROKE_PIXELS = 9
_HEIGHT_PIXELS = (5, 48)
_SMALLEST_PLANE_PIXELS = 64
"""A smaller plane has no room for a line of text beside what it shows."""
_MOST_GLYPHS = 400
"""More strokes of a letter's size than this are noise."""
_SAME_BRIGHTNESS = 0.12
_SHARPEST_STEP = 0.5
"""Share of a stroke's contrast that lies between two neighbouring pixels: a scanner's
point spread takes several, a drawn letter one."""
_HOLLOW = 0.8
"""A letter fills less of its box; bars of a resolution pattern fill all of it."""

Grey = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BurntInText:
    """A line of what looks like text.

    Parameters
    ----------
    image : number of the image along the stack, from 1; 0: seen in the projection over
        all images, so on every one of them.
    left, top, right, bottom : its box, pixels from 0, the last two excluded.
    glyphs : how many letters or digits it seems to have.
    """

    image: int
    left: int
    top: int
    right: int
    bottom: int
    glyphs: int


def text_in_plane(plane: npt.NDArray[np.generic], image: int = 1) -> list[BurntInText]:
    """Lines of text in one (rows, columns) plane of grey values, in any unit.

    Found: five or more letters of 5 to 48 pixels height, brighter or darker than what is
    around them.  Missed: text of the brightness of the tissue below it, handwriting,
    text that was blurred by more than a pixel.
    """
    grey = np.asarray(plane, np.float32)
    if min(grey.shape) < _SMALLEST_PLANE_PIXELS or np.ptp(grey) == 0:
        return []
    low, high = np.percentile(grey, [1, 99.9])
    value_range = float(high - low if high > low else np.ptp(grey))
    steps = _steps(grey)
    found: list[BurntInText] = []
    for polarity in (grey, -grey):
        above = polarity - ndimage.grey_opening(polarity, size=(_STROKE_PIXELS, _STROKE_PIXELS))
        for contrast in _CONTRASTS:
            glyphs = _glyphs(polarity, above, steps, contrast * value_range)
            for line in _lines(glyphs, value_range):
                box = np.array([glyph[:4] for glyph in line])
                top, left = (int(edge) for edge in box[:, [0, 2]].min(axis=0))
                bottom, right = (int(edge) for edge in box[:, [1, 3]].max(axis=0))
                one = BurntInText(image, left, top, right, bottom, len(line))
                if not any(_overlap(one, other) for other in found):
                    found.append(one)
    return found


def text_in_volume(volume: Volume) -> list[BurntInText]:
    """Lines of text in the images of a volume.

    Text that stands on every image is seen in the darkest and brightest value along the
    stack, even over the body; besides that, evenly spread images are looked at.
    """
    count = len(volume.voxels)
    found = text_in_plane(volume.voxels.min(axis=0), 0) if count > 1 else []
    for index in np.unique(np.linspace(0, count - 1, min(count, PLANES_LOOKED_AT)).round()):
        here = text_in_plane(volume.voxels[int(index)], int(index) + 1)
        found += [one for one in here if not any(_overlap(one, other) for other in found)]
    return found


_Glyph = tuple[int, int, int, int, float, float, float]
"""top, bottom, left, right, filled share, brightness, steepest step over contrast."""


def _glyphs(grey: Grey, above: Grey, steps: Grey, contrast: float) -> list[_Glyph]:
    mask = above > contrast
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if not count:
        return []
    label, number = labels[mask], np.arange(1, count + 1)
    area = np.bincount(label, minlength=count + 1)[1:]
    brightest, contrasts, steepest = (
        ndimage.maximum(values[mask], label, number) for values in (grey, above, steps)
    )
    glyphs = []
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels)):
        high, wide = rows.stop - rows.start, columns.stop - columns.start
        if _HEIGHT_PIXELS[0] <= high <= _HEIGHT_PIXELS[1] and wide <= 2.5 * high:
            box = (rows.start, rows.stop, columns.start, columns.stop)
            filled = float(area[index] / (high * wide))
            step = float(steepest[index] / contrasts[index])
            glyphs.append((*box, filled, float(brightest[index]), step))
    return sorted(glyphs, key=lambda glyph: glyph[2]) if len(glyphs) < _MOST_GLYPHS else []


def _steps(grey: Grey) -> Grey:
    """The largest difference of each pixel to one of its four neighbours."""
    steps = np.zeros_like(grey)
    for axis in (0, 1):
        step = np.abs(np.diff(grey, axis=axis))
        for kept in (np.s_[1:], np.s_[:-1]):
            place = (kept, np.s_[:]) if axis == 0 else (np.s_[:], kept)
            steps[place] = np.maximum(steps[place], step)
    return steps


def _lines(glyphs: list[_Glyph], value_range: float) -> Iterator[list[_Glyph]]:
    left = list(range(len(glyphs)))
    while left:
        chain = [left[0]]
        while following := [
            index
            for index in left
            if index > chain[-1] and _follows(glyphs[chain[-1]], glyphs[index], value_range)
        ]:
            chain.append(following[0])
        line = [glyphs[index] for index in chain]
        if len(line) >= _FEWEST_GLYPHS and _drawn(line, value_range):
            yield line
            left = [index for index in left if index not in chain]
        else:
            left = left[1:]


def _follows(one: _Glyph, other: _Glyph, value_range: float) -> bool:
    high, other_high = one[1] - one[0], other[1] - other[0]
    return (
        -0.2 * high <= other[2] - one[3] <= 1.6 * high
        and abs(other[1] - one[1]) <= max(1, 0.25 * max(high, other_high))
        and 0.55 <= other_high / high <= 1.8
        and abs(other[5] - one[5]) <= _SAME_BRIGHTNESS * value_range
    )


def _drawn(line: list[_Glyph], value_range: float) -> bool:
    filled, brightness, step = np.array([glyph[4:] for glyph in line]).T
    return bool(
        (filled < _HOLLOW).mean() >= 0.5
        and np.ptp(brightness) <= _SAME_BRIGHTNESS * value_range
        and np.median(step) >= _SHARPEST_STEP
    )


def _overlap(one: BurntInText, other: BurntInText) -> bool:
    return (
        one.left < other.right
        and other.left < one.right
        and one.top < other.bottom
        and other.top < one.bottom
    )
