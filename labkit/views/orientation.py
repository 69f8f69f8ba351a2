"""Which way a scan lies, and the same scan as a viewer in front of the patient sees it."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from labkit.volume import Array, Volume

# Radiological convention: the viewer stands before the patient or at the feet, so the
# patient's left is on the right.  Upright voxels are counted along L, P and I: each of
# these runs to the right or downwards in every plane that shows it.
ENDS = (("R", "L"), ("A", "P"), ("S", "I"))
"""Letters where the upright i, j and k begin and end."""

LPS = (("R", "L"), ("A", "P"), ("I", "S"))
"""Letters of the negative and the positive half of each LPS axis."""

OBLIQUE_DEG = 10.0
"""A scan that is tilted by more than this is said to be."""

_UPRIGHT = np.diag([1.0, 1.0, -1.0])
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class Plane:
    """A plane of an upright volume: what runs to the right, downwards and through it."""

    name: str
    across: int
    down: int

    @property
    def through(self) -> int:
        """The upright axis along which the planes are stacked."""
        return 3 - self.across - self.down

    def of(
        self, values: npt.NDArray[_Scalar], at_ijk: npt.NDArray[np.int_]
    ) -> npt.NDArray[_Scalar]:
        """(rows, columns): the plane of upright ``values`` (k, j, i) through a voxel."""
        cut: npt.NDArray[_Scalar] = values.take(at_ijk[self.through], axis=2 - self.through)
        return cut


PLANES = (Plane("axial", 0, 1), Plane("coronal", 0, 2), Plane("sagittal", 1, 2))


class Upright(Volume):
    """A volume counted anew for pictures: the only kind that may be left-handed."""

    def __post_init__(self) -> None:
        """Let any direction pass: L, P, I, the order of pictures, is left-handed."""


@dataclass(frozen=True)
class Turn:
    """How voxels are counted anew so that a scan stands upright.  Nothing is resampled.

    Parameters
    ----------
    axes : which of i, j, k becomes the upright i, j and k.
    flipped : whether it is counted from its other end.
    tilt_deg : the largest angle between a voxel axis and the patient axis it stands for.
    """

    axes: tuple[int, ...]
    flipped: tuple[bool, ...]
    tilt_deg: float

    def values(self, values: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
        """(k, j, i) upright: a view of ``values`` (k, j, i) as the scan holds them."""
        # the array's axes are k, j, i: axis 2 − n holds voxel axis n
        view = values.transpose([2 - axis for axis in reversed(self.axes)])
        return view[tuple(slice(None, None, -1 if f else 1) for f in reversed(self.flipped))]

    def volume(self, volume: Volume) -> Upright:
        """The volume upright: each voxel keeps its place in LPS and its value."""
        size = np.array(volume.voxels.shape[::-1])
        first = np.zeros(3)
        for axis, flipped in zip(self.axes, self.flipped, strict=True):
            first[axis] = size[axis] - 1 if flipped else 0
        signs = np.where(self.flipped, -1.0, 1.0)
        return Upright(
            voxels=self.values(volume.voxels),
            origin_lps_mm=volume.to_lps([first])[0],
            spacing_mm=volume.spacing_mm[list(self.axes)],
            direction=volume.direction[:, list(self.axes)] * signs,
            frame_of_reference_uid=volume.frame_of_reference_uid,
            unit=volume.unit,
        )


def turn_upright(direction: Array) -> Turn:
    """The turn that brings voxel axes nearest to L, P and I.

    Parameters
    ----------
    direction : (3, 3) float64: its columns are the unit vectors of i, j, k in LPS.
    """
    cosines = _UPRIGHT @ direction
    left = np.abs(cosines)
    axes, flipped = [0, 0, 0], [False, False, False]
    for _ in range(3):  # the clearest pair first, so that no voxel axis is taken twice
        upright, voxel = (int(n) for n in np.unravel_index(np.argmax(left), left.shape))
        axes[upright], flipped[upright] = voxel, bool(cosines[upright, voxel] < 0)
        left[upright, :] = left[:, voxel] = -1.0
    nearest = min(abs(cosines[upright, axes[upright]]) for upright in range(3))
    tilt = float(np.degrees(np.arccos(np.clip(nearest, 0, 1))))
    return Turn(tuple(axes), tuple(flipped), tilt)


def place(axis: int, lps_mm: float) -> str:
    """A coordinate along L, P or S in words, such as ``R 12 mm``."""
    return f"{LPS[axis][int(lps_mm >= 0)]} {abs(lps_mm):.0f} mm"
