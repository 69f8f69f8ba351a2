"""The scan in patient space: the only place where coordinates are converted."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nrrd
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from labkit.errors import ScanError
from labkit.files import written_whole

Array = npt.NDArray[np.float64]

AIR_HU = -1000
"""Air, by the definition of the Hounsfield unit."""

Unit = Literal["HU", "arbitrary"]
"""What the grey values of a volume mean."""

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""(4, 4) float64: RAS mm, as NIfTI has it, to LPS mm, as DICOM has it; and back.  Half a
turn about the axis to the head: what is right-handed stays so."""

NRRD_TO_LPS = {
    "left-posterior-superior": np.eye(4),
    "lps": np.eye(4),
    "right-anterior-superior": RAS_TO_LPS,
    "ras": RAS_TO_LPS,
    "left-anterior-superior": np.diag([1.0, -1.0, 1.0, 1.0]),
    "las": np.diag([1.0, -1.0, 1.0, 1.0]),
}
"""(4, 4) float64: the patient's spaces, as NRRD names them, in mm, to LPS mm (teem's definition
of the format, section 5)."""

NIFTI_TEMPLATES = (3, 4, 5)
"""Codes of coordinates that are not the patient's: Talairach, MNI, another template (nifti1.h)."""

VOXEL_MM = (1e-3, 50.0)
FARTHEST_MM = 1e5
"""Beyond these a file's numbers are a wrong unit or damage (labkit's own)."""

MAXIMUM_VOXELS = 2**29
"""Of a file of another tool: 512 × 512 × 2048, a volume of 1 GiB."""

SQUARE = 1e-4
"""Deviation from unit length, and from a right angle, of what counts as a direction."""


@dataclass(frozen=True)
class Volume:
    """A scan with its place in the patient.

    Parameters
    ----------
    voxels : (k, j, i) int16, grey values in ``unit``; i runs along the rows of an
        image, j down its columns, k from image to image.
    origin_lps_mm : (3,) float64, mm, LPS: the centre of voxel (0, 0, 0).
    spacing_mm : (3,) float64, mm: distance of voxel centres along i, j, k.
    direction : (3, 3) float64: its columns are the unit vectors of i, j, k in LPS.
        Always right-handed: a left-handed one counts the slices from the wrong end, and
        programs that take it for right-handed show the patient's mirror image.
    frame_of_reference_uid : the scan's frame, as this lab's pseudonym; empty if unknown.
    unit : ``HU``, or ``arbitrary`` where grey values have no physical meaning (MR).

    Raises
    ------
    ValueError
        A direction that is left-handed or not made of unit vectors at right angles, or
        a spacing that is not positive.
    """

    voxels: npt.NDArray[np.int16]
    origin_lps_mm: Array
    spacing_mm: Array
    direction: Array
    frame_of_reference_uid: str = ""
    unit: Unit = "HU"

    def __post_init__(self) -> None:
        if not np.abs(self.direction.T @ self.direction - np.eye(3)).max() <= SQUARE:
            raise ValueError("the direction is not three unit vectors at right angles")
        if np.linalg.det(self.direction) < 0:
            raise ValueError("the direction is left-handed: the patient would be mirrored")
        if not (np.isfinite(self.origin_lps_mm).all() and np.min(self.spacing_mm) > 0):
            raise ValueError("a spacing that is not positive, or an origin that is no place")

    @property
    def ijk_to_lps(self) -> Array:
        """(4, 4) float64: voxel index (i, j, k, 1) to LPS mm."""
        return affine(self.direction * self.spacing_mm, self.origin_lps_mm)

    def to_lps(self, ijk: npt.ArrayLike) -> Array:
        """(n, 3) float64, mm, LPS: where the voxel positions (n, 3) in i, j, k order lie."""
        return np.asarray(ijk, float) @ self.ijk_to_lps[:3, :3].T + self.origin_lps_mm

    @property
    def ijk_to_ras(self) -> Array:
        """(4, 4) float64: voxel index (i, j, k, 1) to RAS mm, the affine of NIfTI."""
        return RAS_TO_LPS @ self.ijk_to_lps

    def to_ijk(self, points_lps_mm: npt.ArrayLike) -> Array:
        """(n, 3) float64, voxels in i, j, k order: where points (n, 3), mm, LPS lie."""
        inverse = np.linalg.inv(self.ijk_to_lps[:3, :3])
        return (np.asarray(points_lps_mm, float) - self.origin_lps_mm) @ inverse.T


def affine(axes_mm: npt.ArrayLike, origin_mm: npt.ArrayLike) -> Array:
    """(4, 4) float64: voxel index (i, j, k, 1) to mm, of the steps along i, j, k as columns."""
    matrix = np.eye(4)
    matrix[:3, :3] = axes_mm
    matrix[:3, 3] = origin_mm
    return matrix


def spacing_of(ijk_to_lps: Array) -> Array:
    """(3,) float64, mm: distance of voxel centres along i, j, k."""
    return np.asarray(np.linalg.norm(ijk_to_lps[:3, :3], axis=0))


def nifti_qform(quaternion: npt.ArrayLike, pixdim: npt.ArrayLike, offset: npt.ArrayLike) -> Array:
    """(4, 4) float64: voxel index (i, j, k, 1) to RAS mm, by method 2 of nifti1.h.

    Parameters
    ----------
    quaternion : (3,): its b, c and d; a follows, since its length is 1.
    pixdim : (4,): the sign of k, and the size of a voxel along i, j, k, mm.
    offset : (3,), mm, RAS: the centre of voxel (0, 0, 0).
    """
    bcd = np.asarray(quaternion, float)
    a = np.sqrt(max(0.0, 1.0 - float(bcd @ bcd)))
    hand, *sizes_mm = np.asarray(pixdim, float)
    steps_mm = np.array(sizes_mm) * [1.0, 1.0, -1.0 if hand < 0 else 1.0]
    return affine(Rotation.from_quat([*bcd, a]).as_matrix() * steps_mm, offset)


def write_nrrd(volume: Volume, path: Path) -> None:
    """Write the volume as NRRD: int16, LPS, gzip; 3D Slicer opens it in place."""
    told = {
        "space units": ["mm", "mm", "mm"],
        "frame_of_reference_uid": volume.frame_of_reference_uid,
        "unit": volume.unit,
    }
    write_array(volume.voxels, volume.ijk_to_lps, told, path)


def write_array(
    voxels: npt.NDArray[Any], ijk_to_lps: Array, told: Mapping[str, Any], path: Path
) -> None:
    """Write an array (k, j, i) as NRRD in its place; the same content gives the same bytes.

    Parameters
    ----------
    ijk_to_lps : (4, 4), voxel index (i, j, k, 1) to LPS mm.
    told : further fields of the header; what is not ASCII in them becomes UTF-8, as 3D Slicer
        has it.
    """
    header = {
        "space": "left-posterior-superior",
        "space directions": ijk_to_lps[:3, :3].T,
        "space origin": ijk_to_lps[:3, 3],
        "kinds": ["domain", "domain", "domain"],
        "encoding": "gzip",
        **{name: _escaped(value) for name, value in told.items()},
    }
    with written_whole(path) as temporary:
        nrrd.write(str(temporary), np.transpose(voxels), header, compression_level=1)
        fields, end, values = temporary.read_bytes().partition(b"\n\n")
        undated = re.sub(rb"^# on [^\n]*\n", b"", fields, count=1, flags=re.MULTILINE)
        temporary.write_bytes(re.sub(rb"&#(\d+);", _utf8, undated) + end + values)


def _escaped(value: Any) -> Any:
    """A text in ASCII, all that pynrrd writes."""
    return value.encode("ascii", "xmlcharrefreplace").decode() if isinstance(value, str) else value


def _utf8(escape: re.Match[bytes]) -> bytes:
    code = int(escape[1])
    return chr(code).encode("utf-8", "replace") if 127 < code <= sys.maxunicode else escape[0]


def read_nrrd(path: Path) -> Volume:
    """Read a volume that `write_nrrd` wrote.

    Raises
    ------
    ScanError
        Not an NRRD file in LPS.
    """
    try:
        data, header = nrrd.read(str(path), index_order="F")
        if header.get("space") != "left-posterior-superior":
            raise nrrd.NRRDError("not in LPS")
        vectors = np.asarray(header["space directions"], float)
        spacing = np.linalg.norm(vectors, axis=1)
        return Volume(
            voxels=np.ascontiguousarray(np.transpose(data)).astype(np.int16, copy=False),
            origin_lps_mm=np.asarray(header["space origin"], float),
            spacing_mm=spacing,
            direction=(vectors / spacing[:, None]).T,
            frame_of_reference_uid=header.get("frame_of_reference_uid", ""),
            unit="arbitrary" if header.get("unit") == "arbitrary" else "HU",
        )
    except (nrrd.NRRDError, KeyError, ValueError, OSError, StopIteration) as error:
        raise ScanError(
            f"{path.name} cannot be read as a volume ({error})",
            expected="a volume.nrrd that stage 01_scan wrote",
            where=str(path.parent),
            fix="run stage 01_scan again",
        ) from error
