"""What the header of an NRRD file tells of its volume.

Source: the NRRD format definition, teem.sourceforge.net/nrrd/format.html.
"""

import warnings
from io import BytesIO
from typing import Any, Literal

import nrrd
import numpy as np

from labkit.scan.other_formats.stored import (
    MAXIMUM_HEADER_BYTES,
    StoredVolume,
    UnfitError,
    beside,
    shape_of,
    stored_volume,
)
from labkit.scan.sources import File
from labkit.volume import NRRD_TO_LPS, affine

_PACKED: dict[str, Literal["not", "values"]] = {"raw": "not", "gz": "values", "gzip": "values"}
_TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, int64, int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_GREY_KINDS = {"domain", "space", "???", "none"}
_SKIPS = ("line skip", "lineskip", "byte skip", "byteskip")


def nrrd_header(file: File, content: bytes) -> StoredVolume:
    """The stored volume of an ``.nrrd`` or ``.nhdr`` file; raises `UnfitError`."""
    fields, length = _fields(content)
    if any(name.startswith("Segment0_") for name in fields):
        raise UnfitError("labels of a segmentation, not grey values")
    to_lps = NRRD_TO_LPS.get(str(fields.get("space", "")).lower())
    if to_lps is None:
        raise UnfitError("orientation unknown (no space that names left, posterior, superior)")
    if any(unit not in ("mm", "") for unit in fields.get("space units", [])):
        raise UnfitError("lengths in another unit than millimetres")
    if any(kind not in _GREY_KINDS for kind in fields.get("kinds", [])):
        raise UnfitError("time, vectors or colours, not grey values")
    encoding = str(fields.get("encoding", "")).lower()
    if encoding not in _PACKED or any(fields.get(skip) for skip in _SKIPS):
        raise UnfitError("values stored otherwise than raw or gzip, right after the header")
    directions = np.asarray(fields.get("space directions", 0), float)
    origin = np.asarray(fields.get("space origin", 0), float)
    if directions.shape != (3, 3) or origin.shape != (3,):
        raise UnfitError("no space directions or no space origin: its place is unknown")
    sizes = [int(size) for size in fields.get("sizes", [])]
    if fields.get("dimension") != len(sizes):
        raise UnfitError("another dimension than it has sizes")
    detached = fields.get("data file", fields.get("datafile"))
    return stored_volume(
        shape=shape_of(sizes),
        dtype=_type(fields),
        ijk_to_lps=to_lps @ affine(directions.T, origin),
        values=file if detached is None else beside(file, detached),
        skip=length if detached is None else 0,
        packed=_PACKED[encoding],
    )


def _fields(content: bytes) -> tuple[dict[str, Any], int]:
    """The fields of the header, and its length in bytes."""
    stream = BytesIO(content[:MAXIMUM_HEADER_BYTES])
    lines = []
    while (line := stream.readline()).strip():
        lines.append(line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(nrrd.read_header(lines)), stream.tell()
    except Exception as error:  # its parsers raise every kind, and all mean the same here
        raise UnfitError("no NRRD header, or one that cannot be read") from error


def _type(fields: dict[str, Any]) -> np.dtype[Any]:
    named = str(fields.get("type", ""))
    kind = next((kind for kind, names in _TYPES.items() if named in names.split(", ")), None)
    if kind is None:
        raise UnfitError("values of a type that is no grey value")
    if kind[1] == "1":
        return np.dtype(kind)
    endian = str(fields.get("endian", "")).lower()
    if endian not in ("little", "big"):
        raise UnfitError("values of unknown byte order")
    return np.dtype(kind).newbyteorder("<" if endian == "little" else ">")
