"""Analytic limbs, and a judge of parts: shared by the tests of what is worn on a limb."""

import manifold3d
import numpy as np
import trimesh

from labkit.design import Part

from .shapes import PLACE


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


def assert_printable(part: Part) -> None:
    """Every object is one closed manifold body; the part stands on the plate, in its middle."""
    for each in part.objects:
        body = manifold3d.Manifold(
            manifold3d.Mesh64(
                vert_properties=np.asarray(each.mesh.vertices, np.float64),
                tri_verts=np.asarray(each.mesh.faces, np.uint64),
            )
        )
        assert body.status() == manifold3d.Error.NoError
        assert each.mesh.is_watertight
        assert each.mesh.volume > 0
        assert sum(piece.volume() > 1e-6 for piece in body.decompose()) == 1
    low, high = part.mesh.bounds
    assert np.allclose(low[:2] + high[:2], 0, atol=1e-3)
    assert abs(low[2]) < 1e-3


def assert_features(part: Part, tolerance_mm: float = 0.01) -> None:
    """Each dimension to inspect is there on the mesh, as the design says."""
    assert part.features
    for feature in part.features:
        box = trimesh.creation.box(bounds=feature.region_mm)
        inside = trimesh.boolean.intersection([part.mesh, box], engine="manifold")
        extent = inside.extents["xyz".index(feature.axis)]
        assert abs(extent - feature.nominal_mm) < tolerance_mm, feature.name
