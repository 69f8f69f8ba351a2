"""What the header of a MetaImage file tells of its volume.

Source: the MetaIO documentation of ITK; world coordinates are LPS, as ITK has them.
"""

import math
import re
from io import BytesIO

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
from labkit.volume import Array, affine, spacing_of

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_ONLY = {
    "ObjectType": "image",
    "BinaryData": "true",
    "ElementNumberOfChannels": "1",
    "HeaderSize": "0",
    "ElementToIntensityFunctionSlope": "1",
    "ElementToIntensityFunctionOffset": "0",
    "DistanceUnits": "mm",
}
"""Fields whose other values mean another object, place or scale than is read here."""


def metaimage_header(file: File, content: bytes) -> StoredVolume:
    """The stored volume of an ``.mha`` or ``.mhd`` file; raises `UnfitError`."""
    fields, length = _fields(content)
    for name, only in _ONLY.items():
        if fields.get(name, only).lower() != only:
            raise UnfitError(f"a MetaImage whose {name} is not {only}")
    matrix = _numbers(fields, "TransformMatrix", "Rotation", "Orientation")
    spacing = _numbers(fields, "ElementSpacing")
    origin = _numbers(fields, "Offset", "Position", "Origin")
    shape = shape_of(_numbers(fields, "DimSize"))
    if [len(matrix), len(spacing), len(origin)] != [9, 3, 3]:
        raise UnfitError("no TransformMatrix, ElementSpacing or Offset: its place is unknown")
    ijk_to_lps = affine(np.reshape(matrix, (3, 3)).T * spacing, origin)
    _require_named_axes(fields.get("AnatomicalOrientation", ""), ijk_to_lps)
    if fields.get("ElementType") not in _TYPES:
        raise UnfitError("values of a type that is no grey value")
    big = any(_true(fields, f"{kind}ByteOrderMSB") for kind in ("BinaryData", "Element"))
    detached = fields["ElementDataFile"]
    return stored_volume(
        shape=shape,
        dtype=np.dtype(_TYPES[fields["ElementType"]]).newbyteorder(">" if big else "<"),
        ijk_to_lps=ijk_to_lps,
        values=file if detached == "LOCAL" else beside(file, detached),
        skip=length if detached == "LOCAL" else 0,
        packed="values" if _true(fields, "CompressedData") else "not",
    )


def _fields(content: bytes) -> tuple[dict[str, str], int]:
    """The fields of the header, and its length in bytes."""
    stream = BytesIO(content[:MAXIMUM_HEADER_BYTES])
    fields: dict[str, str] = {}
    while "ElementDataFile" not in fields:
        name, equals, value = stream.readline().decode("latin-1").partition("=")
        if not equals or name.strip() in fields:
            raise UnfitError("no MetaImage header, or one that cannot be read")
        fields[name.strip()] = value.strip()
    return fields, stream.tell()


def _true(fields: dict[str, str], name: str) -> bool:
    return fields.get(name, "").lower() in ("true", "1")


def _numbers(fields: dict[str, str], *names: str) -> list[float]:
    text = next((fields[name] for name in names if name in fields), "")
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise UnfitError(f"{names[0]} that is not a number")
    return numbers


def _require_named_axes(named: str, ijk_to_lps: Array) -> None:
    """Refuse an AnatomicalOrientation that contradicts the matrix.

    It names the side from which each axis comes: RAI is the identity.
    """
    if not re.fullmatch("[RLAPIS]{3}", named):
        return  # ??? and the like
    directions = ijk_to_lps[:3, :3] / spacing_of(ijk_to_lps).clip(1e-9)
    axes = np.abs(directions).argmax(axis=0)
    if np.abs(directions).max(axis=0).min() < np.cos(np.radians(30)):
        return  # oblique: three letters do not say it
    sides = ("RL", "AP", "IS")
    told = "".join(sides[axis][int(directions[axis, n] < 0)] for n, axis in enumerate(axes))
    if named != told:
        raise UnfitError(f"AnatomicalOrientation {named}, but a matrix that says {told}")
