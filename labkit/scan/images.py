"""The images of a DICOM file, as its header describes them."""

from pydicom.dataset import Dataset
from pydicom.uid import UID

from labkit.scan.headers import OVERLAY_BIT_POSITIONS, Header, damaged
from labkit.scan.image import Image, PixelFormat
from labkit.scan.multiframe import MULTIFRAME, frames_of
from labkit.scan.parts import STACK_TAGS
from labkit.scan.sources import File
from labkit.scan.syntaxes import is_encapsulated, why_undecodable
from labkit.scan.tags import Tags
from labkit.volume import Array

LARGEST_SIDE = 4096
"""Rows or columns beyond this are an error in the header: scanners reach 2048."""


def images_of(file: File, header: Header) -> list[tuple[Image, Dataset]]:
    """The images that a file holds, each with its header as a classic image has it.

    Raises
    ------
    ScanError
        The header is damaged.
    """
    try:
        frames = frames_of(header.dataset)
        tags = [Tags(dataset) for dataset in frames]
        problem = _problem(header, tags[0], len(frames))
        return [
            (_image(file, header, tags[number], number, len(frames), problem), dataset)
            for number, dataset in enumerate(frames)
        ]
    except Exception as error:  # what a tag holds can be anything
        raise damaged(file, header.held_bytes) from error


def _image(file: File, header: Header, tags: Tags, frame: int, frames: int, problem: str) -> Image:
    shape = _shape(tags)
    pixels = _pixel_format(header, tags)
    native = not is_encapsulated(header.transfer_syntax)
    size = shape[0] * shape[1] * pixels.bits_allocated // 8
    return Image(
        file=file,
        frame=frame,
        sop_instance_uid=tags.text("SOPInstanceUID"),
        position_lps_mm=tags.numbers("ImagePositionPatient", 3),
        orientation=tags.numbers("ImageOrientationPatient", 6),
        pixel_spacing_mm=_pair(tags.numbers("PixelSpacing", 2)),
        shape=shape,
        frame_of_reference_uid=tags.text("FrameOfReferenceUID"),
        rescale=_rescale(tags),
        slice_location_mm=tags.number("SliceLocation"),
        target_center_lps_mm=tags.doubles("ReconstructionTargetCenterPatient", 3),
        rescale_type=tags.text("RescaleType"),
        sop_class_uid=tags.text("SOPClassUID"),
        stack=tuple(tags.text(keyword) for keyword in STACK_TAGS),
        pixels=pixels,
        pixel_offset=(header.pixel_offset or 0) + (frame * size if native else 0),
        frames=frames,
        problem=problem,
    )


def _shape(tags: Tags) -> tuple[int, int]:
    return tags.whole("Rows") or 0, tags.whole("Columns") or 0


def _pixel_format(header: Header, tags: Tags) -> PixelFormat:
    allocated = tags.whole("BitsAllocated") or 0
    stored = tags.whole("BitsStored") or allocated
    high_bit = tags.whole("HighBit")
    signed = tags.whole("PixelRepresentation") == 1
    padding = tags.whole("PixelPaddingValue", signed)
    limit = tags.whole("PixelPaddingRangeLimit", signed)
    return PixelFormat(
        transfer_syntax=header.transfer_syntax,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high_bit is None else high_bit,
        signed=signed,
        little_endian=header.little_endian,
        photometric_interpretation=tags.text("PhotometricInterpretation"),
        padding=None if padding is None else _ordered(padding, limit),
        overlaid=any(map(tags.whole_at, OVERLAY_BIT_POSITIONS)),
    )


def _ordered(padding: int, limit: int | None) -> tuple[int, int]:
    other = padding if limit is None else limit
    return min(padding, other), max(padding, other)


def _problem(header: Header, tags: Tags, frames: int) -> str:
    """Why the images of a file can be no part of a volume; empty if they can."""
    form, shape = _pixel_format(header, tags), _shape(tags)
    size = shape[0] * shape[1] * form.bits_allocated // 8 * frames
    claimed = tags.number("NumberOfFrames") or 1
    if header.pixel_offset is None:
        return "no pixel data that can be read"
    grey = form.photometric_interpretation in ("", "MONOCHROME1", "MONOCHROME2")
    if (tags.whole("SamplesPerPixel") or 1) != 1 or not grey:
        return "colour images"
    if undecodable := why_undecodable(UID(header.transfer_syntax)):
        return undecodable
    if not 0 < min(shape) <= max(shape) <= LARGEST_SIDE:
        return f"a matrix of {shape[1]} × {shape[0]} pixels"
    if (
        form.bits_allocated not in (8, 16)
        or not 1 < form.bits_stored <= form.bits_allocated
        or not form.bits_stored <= form.high_bit + 1 <= form.bits_allocated
        or (form.bits_allocated == 8 and not form.little_endian)
    ):
        return (
            f"pixels of {form.bits_stored} bits in {form.bits_allocated}, "
            f"highest bit {form.high_bit}"
        )
    if tags.whole("PixelRepresentation") not in (0, 1):
        return "pixels of which the header does not say whether they have a sign"
    if "ModalityLUTSequence" in tags and header.dataset.get("ModalityLUTSequence"):
        return "grey values by a look-up table (Modality LUT), not by Rescale Slope and Intercept"
    kind = tags.text("SOPClassUID")
    if kind in MULTIFRAME and frames != claimed:
        return f"{frames} positions for {claimed:g} frames"
    if kind not in MULTIFRAME and claimed != 1:
        return "a multi-frame file without the place of its frames"
    if is_encapsulated(header.transfer_syntax):
        return "" if header.pixel_bytes is None else "compressed pixels that are not in fragments"
    if header.pixel_bytes is None or header.pixel_offset + size > header.held_bytes:
        return "cut short: the file ends before its last pixel"
    if not size <= header.pixel_bytes <= size + 1:
        return f"{header.pixel_bytes} bytes of pixels where its matrix takes {size}"
    return ""


def _rescale(tags: Tags) -> tuple[float, float] | None:
    slope, intercept = tags.number("RescaleSlope"), tags.number("RescaleIntercept")
    return None if slope is None or intercept is None else (slope, intercept)


def _pair(numbers: Array | None) -> tuple[float, float] | None:
    return None if numbers is None else (float(numbers[0]), float(numbers[1]))
