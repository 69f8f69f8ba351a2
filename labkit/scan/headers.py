"""What the header of a DICOM file tells of its images."""

import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
)

from labkit.errors import ScanError
from labkit.scan.facts import FACT_TAGS
from labkit.scan.multiframe import GROUP_TAGS, MULTIFRAME
from labkit.scan.parts import STACK_TAGS
from labkit.scan.sources import File
from labkit.scan.tags import Tags

INFLATED_BYTES = 512 * 2**20
"""A deflated file that grows beyond this is refused."""

IMAGE_TAGS = [
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "HighBit",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ModalityLUTSequence",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "PixelRepresentation",
    "PixelSpacing",
    "ReconstructionTargetCenterPatient",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "Rows",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "SliceLocation",
]
"""The tags that `labkit.scan.images` reads."""

OVERLAY_BIT_POSITIONS = [0x60000102 + (group << 16) for group in range(0, 0x20, 2)]
"""Overlay Bit Position of each overlay; 0 where the overlay is not among the pixels."""

_HEADER: list[BaseTag | int] = [
    tag_for_keyword(keyword) or 0 for keyword in {*FACT_TAGS, *IMAGE_TAGS, *GROUP_TAGS, *STACK_TAGS}
] + OVERLAY_BIT_POSITIONS

_META_TAGS: list[BaseTag | int] = [0x00020002, 0x00020010]
_IMAGES = MULTIFRAME | {str(CTImageStorage), str(MRImageStorage)}
_WITH_PREAMBLE = b"DICM"
_GROUP_2, _GROUP_8 = b"\x02\x00", b"\x08\x00"
_PIXEL_DATA = (0x7FE0, 0x0010)
_FIRST_PIXELS = 0x7FE00008
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class Header:
    """What is known of a DICOM file with images before its pixels are looked at.

    Parameters
    ----------
    dataset : the tags that the import needs.
    transfer_syntax : its UID.
    little_endian : the order of the bytes.
    pixel_offset : bytes from the start of the file to the first pixel or, if compressed,
        to the offset table; None where there is no Pixel Data.
    pixel_bytes : how long they claim to be; None if compressed.
    held_bytes : how long the file is, inflated.
    media_kind : what kind of object the file meta information calls it.
    """

    dataset: Dataset
    transfer_syntax: str
    little_endian: bool = True
    pixel_offset: int | None = None
    pixel_bytes: int | None = None
    held_bytes: int = 0
    media_kind: str = ""


def is_dicom(start: bytes) -> bool:
    """Whether a file that starts so may be DICOM: by its mark, or by a first tag as DICOM has it.

    Old files have no preamble (PS3.10 section 7.1 asks for it): they start with a short
    element of group 0002 or 0008.
    """
    if start[128:132] == _WITH_PREAMBLE:
        return True
    if len(start) < 16 or start[:2] not in (_GROUP_2, _GROUP_8) or start[3]:
        return False
    explicit = start[4:6] in (b"UL", b"UI", b"CS", b"OB", b"DA", b"TM", b"SH", b"LO")
    return explicit or int.from_bytes(start[4:8], "little") <= 64


def is_directory(content: bytes) -> bool:
    """Whether a DICOM file is the directory of a disc (DICOMDIR)."""
    return str(MediaStorageDirectoryStorage).encode() + _GROUP_2 in content[132:1024]


def plain_content(content: bytes) -> bytes:
    """The content of a file as offsets count it: with its dataset inflated where it is deflated.

    Raises
    ------
    ValueError
        It inflates to an absurd size or not at all.
    """
    if str(DeflatedExplicitVRLittleEndian).encode() not in content[132:1024]:
        return content
    end = _end_of_meta(content)
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflating.decompress(content[end:], INFLATED_BYTES)
    except zlib.error as error:
        raise ValueError("deflated data that does not inflate") from error
    if inflating.unconsumed_tail:
        raise ValueError("deflated data of an absurd size")
    return content[:end] + inflated


def header_of(file: File, content: bytes) -> Header | None:
    """The header of a DICOM file with images, or None for any other file.

    A DICOM file that ends within its header raises: left out in silence it would
    be a slice that nobody misses when it lies at the end of the stack.

    Raises
    ------
    ScanError
        The header is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd tags are common and not what is judged here
            header = _parsed(content)
            dataset = header.dataset
            if "Rows" in dataset and "SeriesInstanceUID" in dataset:
                return header
            kinds = {str(dataset.get("SOPClassUID") or ""), header.media_kind} - {""}
    except Exception as error:  # a damaged header can make the parser raise anything
        raise damaged(file, len(content)) from error
    nameless = not kinds and content[128:132] == _WITH_PREAMBLE
    if nameless or kinds & _IMAGES or header.pixel_offset is not None:
        raise damaged(file, len(content))
    return None


def damaged(file: File, size: int) -> ScanError:
    """The error for a file whose header cannot be read to its end."""
    return ScanError(
        f"a DICOM file of {size} bytes that ends or breaks within its header",
        expected="whole files",
        where=file.where,
        fix="copy the folder again from the PACS or the disc",
    )


def _end_of_meta(content: bytes) -> int:
    start = 132 if content[128:132] == _WITH_PREAMBLE else 0
    tag, _, length = struct.unpack_from("<I2s2xI", content, start)
    if tag != 0x00000002:
        raise ValueError("no length of the file meta information")
    return int(start + 12 + length)


def _parsed(content: bytes) -> Header:
    plain = plain_content(content)
    stream = BytesIO(plain)
    meta = _meta(stream)
    syntax, kind = meta.text("TransferSyntaxUID"), meta.text("MediaStorageSOPClassUID")
    if syntax:
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        dataset: Any = read_dataset(
            stream, implicit, little, stop_when=_at_pixels, specific_tags=_HEADER
        )
    else:
        stream.seek(0)
        dataset = pydicom.dcmread(
            stream, stop_before_pixels=True, specific_tags=_HEADER, force=True
        )
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        syntax = str(ImplicitVRLittleEndian if implicit else explicit)
    offset, length = _pixels_at(plain, stream.tell(), "<" if little else ">")
    return Header(dataset, syntax, bool(little), offset, length, len(plain), kind)


def _meta(stream: BytesIO) -> Tags:
    """The file meta information (PS3.10 section 7.1); the stream stands at its end."""
    stream.seek(128)
    stream.seek(132 if stream.read(4) == _WITH_PREAMBLE else 0)
    return Tags(read_dataset(stream, False, True, stop_when=_behind_meta, specific_tags=_META_TAGS))


def _behind_meta(tag: int, _vr: str | None, _length: int) -> bool:
    return tag > 0x0002FFFF


def _at_pixels(tag: int, _vr: str | None, _length: int) -> bool:
    return tag >= _FIRST_PIXELS


def _pixels_at(content: bytes, at: int, order: str) -> tuple[int | None, int | None]:
    if len(content) < at + 12 or struct.unpack_from(order + "HH", content, at) != _PIXEL_DATA:
        return None, None
    at += 8 if content[at + 4 : at + 6] in (b"OW", b"OB", b"UN") else 4
    (length,) = struct.unpack_from(order + "I", content, at)
    return at + 4, None if length == _UNDEFINED else length
