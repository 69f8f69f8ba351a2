"""Analytic limbs, and a judge of parts: shared by the tests of what is worn on a limb."""

from collections.abc import Callable
from typing import Any

import numpy as np
import trimesh

from labkit.case import Device, Order
from labkit.design import Anatomy, Part, design_part
from labkit.parameters import Design, validated

from .shapes import PLACE


def designer(order: Order, device: Device, usual: dict[str, Any]) -> Callable[..., Part]:
    """``designer(…)(limb, laterality, **parameters)``: the part that is made on a limb."""

    def designed(limb: trimesh.Trimesh, laterality: str = "right", **parameters: Any) -> Part:
        ordered = order.model_copy(update={"device": device, "laterality": laterality})
        values = validated("03_design", {"device": device, **usual, **parameters})
        assert isinstance(values, Design)
        return design_part(Anatomy(limb), values, ordered)

    return designed


def beside(x_mm: float, y_mm: float, z_mm: float) -> np.ndarray:
    """A place so far from `PLACE`, LPS mm."""
    return np.asarray(PLACE + np.array([x_mm, y_mm, z_mm]))


def tube(
    radius_mm: float, length_mm: float, *, taper: float = 0.0, oval: float = 1.0
) -> trimesh.Trimesh:
    """A closed limb along S at `PLACE`: its distal end down, thinner there by ``taper``."""
    made = trimesh.creation.cylinder(radius=radius_mm, height=length_mm, sections=96)
    points, faces = trimesh.remesh.subdivide_to_size(made.vertices, made.faces, radius_mm / 2)
    round_off = np.hypot(points[:, 0], points[:, 1])  # back onto the circle after dividing
    side = round_off > 0.99 * radius_mm
    points[side, :2] *= (radius_mm / round_off[side])[:, None]
    points[:, :2] *= (1 - taper * (0.5 - points[:, 2] / length_mm))[:, None]
    points[:, 1] *= oval
    mesh = trimesh.Trimesh(points + PLACE, faces)
    mesh.merge_vertices()
    return mesh


def assert_features(part: Part, tolerance_mm: float = 0.01) -> None:
    """Each dimension to inspect is there on the mesh, as the design says."""
    assert part.features
    for feature in part.features:
        box = trimesh.creation.box(bounds=feature.region_mm)
        inside = trimesh.boolean.intersection([part.mesh, box], engine="manifold")
        extent = inside.extents["xyz".index(feature.axis)]
        assert abs(extent - feature.nominal_mm) < tolerance_mm, feature.name
