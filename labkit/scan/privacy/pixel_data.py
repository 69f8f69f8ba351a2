"""The pixels of a DICOM image, with nothing beside them that is no pixel."""

import copy

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from labkit.errors import ScanError
from labkit.scan.decoding import Decoders, Pixels
from labkit.scan.image import PixelFormat
from labkit.scan.privacy.burnt_in import text_in_plane

FRAMES_LOOKED_AT = 5
MOST_UNPACKED_BYTES = 64 << 20
"""Beyond it, rows and columns must fit the size of the compressed stream."""
_LARGEST_RATIO = 200


def clean_pixels(dataset: Dataset, clean: Dataset, decoders: Decoders) -> None:
    """Leave nothing in the pixel data but pixels.

    Compressed streams carry comments (JPEG COM, APPn), so pixels are written
    uncompressed; what lies behind the last pixel and in bits used by overlays goes.
    """
    if "PixelData" not in clean:
        return
    clean["PixelData"] = copy.copy(clean["PixelData"])
    syntax = clean.file_meta.TransferSyntaxUID
    length = _length(clean)
    if syntax.is_compressed and syntax.is_encapsulated:
        if length > max(MOST_UNPACKED_BYTES, _LARGEST_RATIO * len(clean.PixelData)):
            raise ValueError("more pixels than the compressed stream can hold")
        _decompress(clean, decoders)
    else:
        if syntax.is_deflated:
            clean.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        if len(clean.PixelData) < length:
            raise ValueError("fewer pixels than rows and columns ask for")
        clean.PixelData = clean.PixelData[:length] + b"\0" * (length % 2)
    shared = [int(e.value) for e in dataset if e.tag.group >> 8 == 0x60 and e.tag.element == 0x102]
    if any(shared) and int(clean.BitsAllocated) == 16:
        order = "<" if clean.file_meta.TransferSyntaxUID.is_little_endian else ">"
        stored = np.frombuffer(clean.PixelData, f"{order}u2")
        mask = (1 << int(clean.BitsStored)) - 1 << int(clean.HighBit) + 1 - int(clean.BitsStored)
        clean.PixelData = (stored & mask).astype(f"{order}u2").tobytes()


def _length(dataset: Dataset) -> int:
    """How many bytes the pixels take uncompressed (PS3.5 section 8.1)."""
    bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1))
    bits *= int(dataset.get("NumberOfFrames") or 1) * int(dataset.BitsAllocated)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    return (bits + 7) // 8


def _decompress(clean: Dataset, decoders: Decoders) -> None:
    syntax = clean.file_meta.TransferSyntaxUID
    try:
        if int(clean.get("SamplesPerPixel", 1)) > 1:
            raise ValueError("in colour")
        frames = generate_frames(
            clean.PixelData, number_of_frames=int(clean.get("NumberOfFrames") or 1)
        )
        form = PixelFormat(
            transfer_syntax=syntax,
            bits_allocated=int(clean.BitsAllocated),
            bits_stored=int(clean.BitsStored),
            high_bit=int(clean.HighBit),
            signed=bool(clean.PixelRepresentation),
        )
        shape = (int(clean.Rows), int(clean.Columns))
        pixels = b"".join(_plain(decoders.decode(frame, form, shape), form) for frame in frames)
    except Exception as error:  # damaged streams make the parser raise anything
        raise ScanError(
            f"pixels that cannot be decoded ({syntax.name})",
            expected="grey images in a compression that can be decoded, since a compressed "
            "stream may hold comments",
            where="the scan's source",
            fix="export the series again from the PACS; uncompressed or lossless",
        ) from error
    clean.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    del clean["PixelData"]
    clean.add_new("PixelData", "OW", pixels + b"\0" * (len(pixels) % 2))


def _plain(pixels: Pixels, form: PixelFormat) -> bytes:
    """A frame as stored uncompressed: little endian, the sign spread to the top."""
    allocated = form.bits_allocated
    wide = pixels.astype(f"<u{allocated // 8}", copy=False)
    if form.signed:
        unused = allocated - form.bits_stored
        wide = (wide << unused).view(f"<i{allocated // 8}") >> unused
    return wide.tobytes()


def clean_stl(document: bytes) -> bytes:
    """A binary STL without the free text of its header and without anything behind it.

    Raises
    ------
    ValueError
        Not a whole binary STL: its length does not fit its number of triangles.
    """
    length = 84 + 50 * int.from_bytes(document[80:84], "little")
    if len(document) < length:
        raise ValueError("no binary STL, or not all of it")
    return b"\0" * 80 + document[80:length] + b"\0" * (length % 2)


def lies_in_the_patient(dataset: Dataset) -> bool:
    """Whether it is a plane of a volume; scouts, screenshots and ultrasound are not."""
    return "LOCALIZER" not in dataset.get("ImageType", "") and any(
        name in dataset for name in ("ImagePositionPatient", "PerFrameFunctionalGroupsSequence")
    )


def has_text(clean: Dataset) -> bool:
    """Whether text is seen in some of the frames."""
    if "PixelData" not in clean:
        return False
    pixels = clean.pixel_array
    if int(clean.get("SamplesPerPixel", 1)) > 1:
        pixels = pixels.mean(axis=-1)
    frames = pixels if pixels.ndim == 3 else pixels[None]
    chosen = np.unique(
        np.linspace(0, len(frames) - 1, min(len(frames), FRAMES_LOOKED_AT)).round().astype(int)
    )
    return any(text_in_plane(frames[index]) for index in chosen)
