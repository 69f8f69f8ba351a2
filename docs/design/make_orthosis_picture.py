"""Make ``docs/design/orthosis.png``: ``python docs/design/make_orthosis_picture.py``."""

import numpy as np
import pyvista
import trimesh
from pictures import ordered, save, taken

from labkit.design import Anatomy, design_part
from labkit.parameters import Orthosis

ORDER = ordered("orthosis", "forearm", "right")
CHOSEN = (
    Orthosis(from_mm=20.0, length_mm=140.0, clearance_along="0, 1.5; 140, 3", step_mm=1.5),
    Orthosis(from_mm=20.0, length_mm=140.0, closure="screw lugs", halves="first", step_mm=1.5),
)


def forearm() -> trimesh.Trimesh:
    """An oval limb that grows thicker towards the elbow, LPS mm."""
    limb = trimesh.creation.cylinder(radius=1, height=180, sections=96)
    points, faces = trimesh.remesh.subdivide_to_size(limb.vertices, limb.faces, 6)
    share = points[:, 2] / 180 + 0.5
    points[:, :2] /= np.maximum(np.linalg.norm(points[:, :2], axis=1), 1)[:, None]
    points[:, :2] *= np.column_stack([28 + 14 * share, 20 + 20 * share])
    return trimesh.Trimesh(points + np.array([-140.0, 25.0, 1300.0]), faces)


def main() -> None:
    """A splint of two halves with strap slots, and one half alone with screw lugs."""
    plotter = pyvista.Plotter(off_screen=True, shape=(1, 2), window_size=(1100, 640))
    for column, chosen in enumerate(CHOSEN):
        part = design_part(Anatomy(forearm()), chosen, ORDER)
        plotter.subplot(0, column)
        for each, colour in zip(part.objects, ("#8fb3c9", "#d9d2c5"), strict=False):
            plotter.add_mesh(pyvista.wrap(each.mesh), color=colour)
        plotter.view_vector((1, -0.45 if column else 0.7, 0.35), (0, 0, 1))
        words = "\n".join(f"{c.name}: {c.value} {c.unit}" for c in part.checks[:4])
        plotter.add_text(words, position="upper_left", font_size=7, color="black")
    save(taken(plotter), "orthosis")


if __name__ == "__main__":
    main()
