"""What the header of a NIfTI file tells of its volume.

Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.  World
coordinates are RAS there.
"""

import math
import zlib
from typing import Any, Literal

import numpy as np

from labkit.scan.other_formats.stored import (
    MAXIMUM_HEADER_BYTES,
    TOLERANCE_VOXELS,
    StoredVolume,
    UnfitError,
    apart,
    shape_of,
    stored_volume,
)
from labkit.scan.sources import File
from labkit.volume import NIFTI_TEMPLATES, RAS_TO_LPS, Array, nifti_qform, spacing_of


def _layout(size: int, **fields: tuple[str, int]) -> np.dtype[Any]:
    formats, offsets = zip(*fields.values(), strict=True)
    described = {"names": list(fields), "formats": list(formats), "offsets": list(offsets)}
    return np.dtype({**described, "itemsize": size})  # type: ignore[call-overload, no-any-return]


_LAYOUTS = {
    348: _layout(
        348,
        dim=("8i2", 40),
        intent=("i2", 68),
        datatype=("i2", 70),
        pixdim=("8f4", 76),
        vox_offset=("f4", 108),
        scale=("2f4", 112),
        units=("u1", 123),
        codes=("2i2", 252),
        quaternion=("3f4", 256),
        offset=("3f4", 268),
        sform=("(3,4)f4", 280),
        magic=("S4", 344),
    ),
    540: _layout(
        540,
        magic=("S8", 4),
        datatype=("i2", 12),
        dim=("8i8", 16),
        pixdim=("8f8", 104),
        vox_offset=("i8", 168),
        scale=("2f8", 176),
        codes=("2i4", 344),
        quaternion=("3f8", 352),
        offset=("3f8", 376),
        sform=("(3,4)f8", 400),
        units=("i4", 500),
        intent=("i4", 504),
    ),
}
_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_INTENT_LABEL = 1002
_UNIT_MM = 2
_ALIGNED = 2


def nifti_header(file: File, content: bytes) -> StoredVolume:
    """The stored volume of a ``.nii`` or ``.nii.gz`` file; raises `UnfitError`."""
    packed = content[:2] == b"\x1f\x8b"
    head, order = _head(content[:65536], packed)
    if not bytes(head["magic"]).startswith((b"n+1", b"n+2")):
        raise UnfitError("a NIfTI header without its values (a pair of files)")
    if int(head["datatype"]) not in _TYPES:
        raise UnfitError("colour, complex or unknown values, not grey values")
    axes = int(head["dim"][0])
    shape = shape_of(head["dim"][1 : axes + 1].tolist() if 0 < axes < 8 else [])
    ijk_to_ras, findings = _place(head, shape)
    slope, intercept = (float(value) for value in head["scale"])
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise UnfitError("a slope or intercept that is not a number")
    skip = float(head["vox_offset"])
    if not head.nbytes <= skip <= MAXIMUM_HEADER_BYTES or skip != int(skip):
        raise UnfitError("values that begin nowhere within the file")
    stored = stored_volume(
        shape=shape,
        dtype=np.dtype(_TYPES[int(head["datatype"])]).newbyteorder(order),
        ijk_to_lps=RAS_TO_LPS @ ijk_to_ras,
        rescale=(slope, intercept) if slope else (1.0, 0.0),
        values=file,
        skip=int(skip),
        packed="file" if packed else "not",
        labels=int(head["intent"]) == _INTENT_LABEL,
        findings=tuple(findings),
    )
    sizes_mm = np.abs(head["pixdim"][1:4])
    if not np.allclose(spacing_of(stored.ijk_to_lps), sizes_mm, rtol=1e-3, atol=0):
        raise UnfitError("sform and pixdim that give the voxels different sizes")
    return stored


def _head(start: bytes, packed: bool) -> tuple[Any, Literal["<", ">"]]:
    try:
        start = zlib.decompressobj(47).decompress(start, 540) if packed else start
    except zlib.error:
        start = b""
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for order in orders:
        size = int.from_bytes(start[:4], "little" if order == "<" else "big")
        if size in _LAYOUTS and len(start) >= size:
            return np.frombuffer(start[:size], _LAYOUTS[size].newbyteorder(order))[0], order
    raise UnfitError("no NIfTI header")


def _place(head: Any, shape: tuple[int, int, int]) -> tuple[Array, list[str]]:
    """(4, 4) float64: voxel index to RAS mm; and what is odd about it."""
    findings = []
    unit = int(head["units"]) & 7
    if unit not in (0, _UNIT_MM):
        raise UnfitError("lengths in another unit than millimetres")
    if unit == 0:
        findings.append("the header names no unit of length: millimetres are assumed")
    codes = [int(code) for code in head["codes"]]
    if not np.isfinite(np.concatenate([head["sform"].ravel(), head["pixdim"][:4]])).all():
        raise UnfitError("a place in the patient that is not a number")
    forms = [
        form(head)
        for form, code in zip((_qform, _sform), codes, strict=True)
        if code > 0 and code not in NIFTI_TEMPLATES
    ]
    if not forms and any(code in NIFTI_TEMPLATES for code in codes):
        raise UnfitError("placed in a template (Talairach, MNI), not in the patient")
    if not forms:
        raise UnfitError("orientation unknown (qform and sform codes are 0): which side is left?")
    if apart(forms[0], forms[-1], shape) > TOLERANCE_VOXELS:
        raise UnfitError("qform and sform that place the image differently")
    if _ALIGNED in codes:
        findings.append("the header says that the image was aligned to another one")
    return forms[-1], findings


def _sform(head: Any) -> Array:
    return np.vstack([np.asarray(head["sform"], float), [0.0, 0.0, 0.0, 1.0]])


def _qform(head: Any) -> Array:
    if not (np.asarray(head["pixdim"][1:4]) > 0).all():  # readers disagree: mirrored, or not
        raise UnfitError("a qform with voxels of a negative size: which side is left?")
    bcd = np.asarray(head["quaternion"], float)
    if not bcd @ bcd <= 1 + 1e-4:
        raise UnfitError("a qform that is no rotation")
    return nifti_qform(bcd, head["pixdim"][:4], head["offset"])
