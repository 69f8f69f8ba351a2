"""Make ``anatomical_model.png`` beside this script."""

import numpy as np
import pyvista
import trimesh
from pictures import ordered, save, taken

from labkit.design import Anatomy, design_part
from labkit.parameters import AnatomicalModel

MIDDLE = np.array([-140.0, 25.0, 1300.0])
ORDER = ordered("anatomical model", "distal radius", "right")
CHOSEN = (
    AnatomicalModel(others="coloured", fragments="pinned"),
    AnatomicalModel(section="sagittal", hollow=True, fragments="pinned"),
)


def anatomy() -> Anatomy:
    """A bone's end with a loose fragment, and a tumour in it."""
    end = trimesh.creation.icosphere(subdivisions=4, radius=1)
    end.apply_scale((16, 12, 20))
    shaft = trimesh.creation.cylinder(radius=8, height=50, sections=64)
    shaft.apply_translation((0, 0, -25))
    loose = trimesh.creation.icosphere(subdivisions=3, radius=5)
    loose.apply_translation((20, 0, 12))
    tumour = trimesh.creation.icosphere(subdivisions=3, radius=8)
    tumour.apply_translation((-13, -2, 4))
    bone = trimesh.boolean.union([end, shaft, loose], engine="manifold")
    for each in (bone, tumour):
        each.apply_translation(MIDDLE)
    return Anatomy(bone, {"tumour": tumour})


def main() -> None:
    """Two bodies on a base, and the same bone hollow and cut open."""
    plotter = pyvista.Plotter(off_screen=True, shape=(1, 2), window_size=(1200, 560))
    for column, chosen in enumerate(CHOSEN):
        part = design_part(anatomy(), chosen, ORDER)
        plotter.subplot(0, column)
        for each in part.objects:
            plotter.add_mesh(pyvista.wrap(each.mesh), color=each.colour)
        plotter.view_vector((-0.35, -1, 0.7), (0, 0, 1))
    save(taken(plotter), "anatomical_model")


if __name__ == "__main__":
    main()
