"""Which side a surface shows, and the other side made of it.

A surface of the healthy side, mirrored, stands in for the other.  Mirroring is never
guessed: the side that was scanned is said, and must be the other one of what was ordered.
"""

import numpy as np
import trimesh

from labkit.case import Check, Order
from labkit.errors import DesignError
from labkit.parameters.design.fitted import Fitted
from labkit.volume import Array

MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
"""(4, 4) x to −x: left to right in LPS."""

_OTHER = {"left": "right", "right": "left"}


def check_side(order: Order, scanned_side: str, mirror: bool) -> None:
    """Raise unless the scanned side, as it is or mirrored, is the side that was ordered.

    Raises
    ------
    DesignError
        It is the wrong side, or to be mirrored and nobody said which side it is.
    """
    ordered = order.laterality
    if mirror:
        expected = _OTHER.get(ordered, "")
        if expected and scanned_side == expected:
            return
        raise DesignError(
            f"mirroring of a surface whose side is {scanned_side!r}, for the side {ordered!r}",
            expected=f"scanned_side = {expected!r}" if expected else "an order for left or right",
            where="03_design, mirror and scanned_side",
            fix="say which side was scanned, or set mirror to false",
        )
    if scanned_side not in ("as ordered", ordered):
        raise DesignError(
            f"a surface of the {scanned_side} side for the side {ordered!r}, not mirrored",
            expected=f"a surface of the side {ordered!r}, or the other one with mirror = true",
            where="03_design, mirror and scanned_side",
            fix="mirror it, or take the right surface",
        )


def placed(surface: trimesh.Trimesh, matrix: Array) -> trimesh.Trimesh:
    """The surface moved by a (4, 4) matrix, oriented outwards also where that mirrors it."""
    points = trimesh.transform_points(surface.vertices, matrix)
    faces = surface.faces[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else surface.faces
    return trimesh.Trimesh(points, faces, process=False)


def mirrored(surface: trimesh.Trimesh) -> tuple[trimesh.Trimesh, Array]:
    """The other side of a surface in LPS mm, at the same place, and the matrix back.

    The matrix (4, 4) takes the mirrored surface to the scanned one; its determinant is −1.
    """
    there = MIRROR.copy()
    there[0, 3] = surface.bounds[:, 0].sum()
    return placed(surface, there), np.asarray(np.linalg.inv(there))


def caveat(scanned_side: str, order: Order) -> str:
    """The sentence that travels with a mirrored part."""
    return (
        f"mirrored: made for the {order.laterality} side from a surface of the {scanned_side} "
        "side; plate_to_patient leads to the scanned side"
    )


def side_check(parameters: Fitted, order: Order) -> Check:
    """The scanned side as a line of the record; mirroring is worth a look."""
    scanned = parameters.scanned_side
    said = scanned if scanned != "as ordered" else f"{order.laterality} (as ordered)"
    return Check(
        name="side scanned" + (", mirrored" if parameters.mirror else ""),
        value=said,
        limit=f"makes the side {order.laterality}",
        verdict="action" if parameters.mirror else "pass",
    )
