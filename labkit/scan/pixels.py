"""The grey values of an image, decoded and rescaled."""

import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydicom.uid import RLELossless
from scipy import ndimage

from labkit.errors import ScanError
from labkit.scan.decoding import Decoders, frames_in
from labkit.scan.headers import plain_content
from labkit.scan.image import Image, PixelFormat
from labkit.scan.syntaxes import is_encapsulated
from labkit.volume import AIR_HU, Unit

Stored = npt.NDArray[np.int16] | npt.NDArray[np.uint16]

_INT16 = np.iinfo(np.int16)


class BeyondError(Exception):
    """Grey values without a unit that 16 bits with a sign do not hold.

    ``factor`` is the power of 2 that they have to be divided by.
    """

    def __init__(self, largest: float) -> None:
        super().__init__(largest)
        self.factor = 2.0 ** (np.floor(np.log2(largest / (_INT16.max + 1))) + 1)


def grey_values(image: Image, number: int, total: int, unit: Unit = "HU") -> npt.NDArray[np.int16]:
    """(rows, columns) int16: one image by itself, named as ``number`` of ``total``.

    Raises
    ------
    ScanError
        It cannot be read.
    """
    values = np.empty(image.shape, np.int16)
    divisor = 1.0 if unit == "HU" or not image.rescale else abs(image.rescale[0])
    with Decoders() as decoders:
        try:
            GreyValues(unit, divisor, decoders).read(image, number, total, values)
        except BeyondError as beyond:
            divisor *= beyond.factor
            GreyValues(unit, divisor, decoders).read(image, number, total, values)
    return values


@dataclass
class GreyValues:
    """What turns stored pixels into the grey values of one volume.

    Parameters
    ----------
    unit : HU, or arbitrary: then values may be divided, and what lies outside the
        image is 0.
    divisor : values are divided by it; 1 for HU.
    decoders : programs for compressed images.
    too_low : how many pixels lay below what int16 holds and are the lowest value now.
    kept : how many pixels within the body have the padding value and keep it.
    """

    unit: Unit
    divisor: float
    decoders: Decoders
    too_low: int = 0
    kept: int = 0
    _frames: dict[int, list[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, image: Image, number: int, total: int, into: npt.NDArray[np.int16]) -> None:
        """Put the grey values of an image into ``into``, (rows, columns) int16.

        Raises
        ------
        ScanError
            An image that is cut short, cannot be decoded, or has Hounsfield units that no
            body has; it is named as ``number`` of ``total``.
        BeyondError
            Grey values without a unit that need a larger divisor.
        """
        try:
            stored = self.stored(image)
        except ScanError:
            raise
        except Exception as error:  # the decoders raise every kind, and all mean the same here
            raise ScanError(
                f"image {number} of {total} (in order along the patient) cannot be read: "
                f"{_first_sentence(error)}",
                expected="a whole file in a compression that can be decoded",
                where=image.file.where,
                fix="export the series again from the PACS; uncompressed or lossless",
            ) from error
        slope, intercept = (part / self.divisor for part in image.rescale or (1.0, 0.0))
        outside = self._padded(stored, image.pixels, slope, intercept)
        low, high = sorted(end * slope + intercept for end in _extremes(stored, outside))
        largest = max(abs(low), abs(high))
        if self.unit == "arbitrary" and _INT16.max + 1 <= largest < np.inf:
            raise BeyondError(largest)
        if not high < _INT16.max + 1:
            raise ScanError(
                f"image {number} of {total} (in order along the patient) has grey values up "
                f"to {high:.0f}",
                expected=f"grey values up to {_INT16.max}: metal has 30,000 HU at most",
                where=image.file.where,
                fix="export the series again: the header's sign or rescale is wrong",
            )
        if low < _INT16.min or not _is_shift(slope, intercept):
            values = np.rint(stored * slope + intercept)
            if low < _INT16.min:
                self._count(values if outside is None else values[~outside])
            into[:] = values.clip(_INT16.min, _INT16.max)
        else:  # the sum fits, so that it may be taken modulo 2¹⁶
            np.add(stored.view(np.int16), np.int16(intercept), out=into)
        if outside is not None:
            into[outside] = AIR_HU if self.unit == "HU" else 0

    def stored(self, image: Image) -> Stored:
        """(rows, columns) int16 or uint16: the pixels of an image as they are stored.

        Raises
        ------
        ValueError
            Pixels that end early or cannot be decoded.
        """
        form = image.pixels
        if form is None or image.problem:
            raise ValueError(image.problem or "no pixels")
        content = plain_content(image.file.read())
        if not is_encapsulated(form.transfer_syntax):
            kind = np.dtype(f"{'<' if form.little_endian else '>'}u{form.bits_allocated // 8}")
            count = image.shape[0] * image.shape[1]
            flat = np.frombuffer(content, kind, count, image.pixel_offset)
            return _native(flat.reshape(image.shape), form)
        pixels = self.decoders.decode(self._frame(image, content), form, image.shape)
        values = _significant(pixels, form)
        if form.transfer_syntax != RLELossless and not _same(values, pixels, form.bits_stored):
            raise ValueError(f"compressed pixels of more than {form.bits_stored} bits")
        return values

    def _padded(
        self, stored: Stored, form: PixelFormat | None, slope: float, intercept: float
    ) -> npt.NDArray[np.bool_] | None:
        """Which pixels lie outside the image.

        A padding value that tissue has too (0 HU, where a program wrote 0 without looking)
        counts only where it reaches the border of the image.
        """
        outside = _outside(stored, form)
        if outside is None or form is None or form.padding is None:
            return outside
        highest = max(end * slope + intercept for end in form.padding)
        if self.unit != "HU" or highest <= AIR_HU:
            return outside
        labels, _ = ndimage.label(outside)
        borders = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
        reaching = np.isin(labels, np.unique(np.concatenate(borders))) & outside
        with self._lock:
            self.kept += int(np.count_nonzero(outside & ~reaching))
        return reaching

    def _count(self, values: npt.NDArray[np.float64]) -> None:
        with self._lock:
            self.too_low += int(np.count_nonzero(values < _INT16.min))

    def _frame(self, image: Image, content: bytes) -> bytes:
        if image.frames == 1:
            return frames_in(content, image.pixel_offset, 1)[0]
        with self._lock:
            if image.file.number not in self._frames:
                self._frames[image.file.number] = frames_in(
                    content, image.pixel_offset, image.frames
                )
            return self._frames[image.file.number][image.frame]


def _significant(pixels: npt.NDArray[np.unsignedinteger], form: PixelFormat) -> Stored:
    """The bits that count (PS3.5 8.1.1): overlays may stand above, the sign is at the top."""
    wide = pixels.astype(np.uint16, copy=False)
    left, right = 15 - form.high_bit, 16 - form.bits_stored
    if left or right:
        wide = wide << np.uint16(left)
    signed: Stored = wide.view(np.int16) if form.signed else wide
    return signed >> right if right else signed


def _native(pixels: npt.NDArray[np.unsignedinteger], form: PixelFormat) -> Stored:
    """The stored values of pixels that are not compressed.

    Padding may take more bits than pixels do.

    Raises
    ------
    ValueError
        Values that the header's bits do not hold, and no overlay that would explain them.
    """
    values = _significant(pixels, form)
    at_the_bottom = form.high_bit == form.bits_stored - 1
    if form.overlaid or not at_the_bottom or _same(values, pixels, form.bits_stored):
        return values
    wide = pixels.astype(np.uint16, copy=False)
    whole: Stored = wide.view(np.int16) if form.signed else wide
    outside = _outside(whole, form)
    if outside is not None and (
        outside.all() or _same(values[~outside], pixels[~outside], form.bits_stored)
    ):
        return np.where(outside, whole, values)
    raise ValueError(f"pixels of more than {form.bits_stored} bits")


def _same(values: Stored, pixels: npt.NDArray[np.unsignedinteger], bits_stored: int) -> bool:
    """Whether no bit was lost: the sign may be spread to the top or not."""
    return bits_stored == 8 * pixels.itemsize or bool(
        int(pixels.max()) >> bits_stored == 0 or (values.view(np.uint16) == pixels).all()
    )


def _outside(stored: Stored, form: PixelFormat | None) -> npt.NDArray[np.bool_] | None:
    if form is None or form.padding is None:
        return None
    lowest, highest = form.padding
    outside = (stored >= lowest) & (stored <= highest) if lowest < highest else stored == lowest
    return outside if outside.any() else None


def _extremes(stored: Stored, outside: npt.NDArray[np.bool_] | None) -> tuple[float, float]:
    inside = stored if outside is None else stored[~outside]
    return (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)


def _is_shift(slope: float, intercept: float) -> bool:
    return slope == 1 and intercept == int(intercept) and abs(intercept) <= _INT16.max


def _first_sentence(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words.split(". ")[0][:160]
