"""Make ``surgical_guide.png`` beside this script."""

import numpy as np
import pyvista
import trimesh
from pictures import ordered, save, taken

from labkit.design import Anatomy, design_part
from labkit.parameters import SurgicalGuide

MIDDLE = np.array([-140.0, 25.0, 1300.0])
ORDER = ordered("surgical guide", "distal radius", "right")


def bone() -> trimesh.Trimesh:
    """A shaft with two bumps: something that a guide can hold on to."""
    shaft = trimesh.creation.capsule(height=60, radius=11)
    shaft.apply_translation(MIDDLE)
    bumps = [trimesh.creation.icosphere(subdivisions=4, radius=7) for _ in range(2)]
    for bump, at in zip(bumps, ([8, -7, 9], [-8, -6, -10]), strict=True):
        bump.apply_translation(MIDDLE + np.array(at))
    return trimesh.boolean.union([shaft, *bumps], engine="manifold")


def main() -> None:
    """The guide on the bone, from outside, and from the bone."""
    surface = bone()
    part = design_part(
        Anatomy(surface),
        SurgicalGuide(
            trajectories_lps_mm="-140, 14, 1312; -139, 34, 1314; -141, 14, 1288; -141, 34, 1287",
            slots_lps_mm="-144, 14.75, 1300; -136, 14.75, 1300; -140, 30, 1300",
            insertion_lps="0, 1, 0",
            region_margin_mm=16.0,
        ),
        ORDER,
    )
    placed = part.mesh.copy()
    placed.apply_transform(part.plate_to_patient)
    plotter = pyvista.Plotter(off_screen=True, shape=(1, 3), window_size=(1500, 520))
    for column, (way, shown) in enumerate(
        [((0.5, -1, 0.3), True), ((0.1, -1, 0), False), ((-0.3, 1, 0.1), False)]
    ):
        plotter.subplot(0, column)
        plotter.add_mesh(pyvista.wrap(placed), color="#c98f4a")
        if shown:
            plotter.add_mesh(pyvista.wrap(surface), color="#d9d2c5")
        plotter.view_vector(way, (0, 0, 1))
    save(taken(plotter), "surgical_guide")


if __name__ == "__main__":
    main()
