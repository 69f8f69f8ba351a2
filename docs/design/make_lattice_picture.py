"""Make ``docs/design/lattice.png``: ``python docs/design/make_lattice_picture.py``."""

from pathlib import Path

import pyvista
import trimesh
from PIL import Image

from labkit.case import Order
from labkit.design import Anatomy, design_part
from labkit.parameters import Lattice

SIZE_PX = (420, 420)
PARTS = (
    Lattice(envelope="block", cell="gyroid sheet", porosity=0.75),
    Lattice(envelope="block", cell="octet struts", cell_mm=10.0, porosity=0.8),
    Lattice(
        envelope="block",
        cell="gyroid network",
        grading="along z",
        grading_mm=20.0,
        porosity=0.4,
        porosity_to=0.75,
        cell_mm=5.0,
    ),
    Lattice(skin="open ends", keep_from_mm=2.0, keep_length_mm=16.0, cell_mm=5.0),
)


def main() -> None:
    """Four parts side by side: two cells, a grading, a skin with open ends."""
    rod = trimesh.creation.cylinder(radius=10, height=22, sections=96)
    order = Order(
        case="C-0001",
        patient_code="P-1",
        anatomy="none",
        laterality="none",
        device="lattice",
        requested_by="course leader",
        practice=True,
    )
    row = Image.new("RGB", (SIZE_PX[0] * len(PARTS), SIZE_PX[1]), "white")
    for number, parameters in enumerate(PARTS):
        mesh = design_part(Anatomy(rod), parameters, order).mesh
        plotter = pyvista.Plotter(off_screen=True, window_size=SIZE_PX)
        plotter.background_color = "white"
        plotter.add_mesh(
            pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces),
            color="#d9d2c5",
            smooth_shading=False,
        )
        plotter.camera_position = [(60, -75, 52), (0, 0, 9), (0, 0, 1)]
        plotter.camera.zoom(1.25)
        row.paste(Image.fromarray(plotter.screenshot(return_img=True)), (number * SIZE_PX[0], 0))
    row.quantize(48).save(Path(__file__).with_name("lattice.png"), optimize=True)


if __name__ == "__main__":
    main()
