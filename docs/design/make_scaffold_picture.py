"""Make ``docs/design/scaffold.png``: ``python docs/design/make_scaffold_picture.py``."""

from pathlib import Path

import pyvista
import trimesh
from PIL import Image

from labkit.case import Order
from labkit.design import Anatomy, design_part
from labkit.parameters import Scaffold

SIZE_PX = (420, 420)
PARTS = (
    Scaffold(),
    Scaffold(offset=True, shape="cylinder"),
    Scaffold(pattern="0/60/120"),
    Scaffold(structure="gyroid network", shape="cylinder"),
)


def main() -> None:
    """Four scaffolds side by side: pile, offset, three directions, level set."""
    rod = trimesh.creation.cylinder(radius=10, height=22, sections=96)
    order = Order(
        case="C-0001",
        patient_code="P-1",
        anatomy="none",
        laterality="none",
        device="scaffold",
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
        plotter.camera_position = [(22, -26, 22), (0, 0, 1.5), (0, 0, 1)]
        plotter.camera.zoom(1.25)
        row.paste(Image.fromarray(plotter.screenshot(return_img=True)), (number * SIZE_PX[0], 0))
    row.quantize(48).save(Path(__file__).with_name("scaffold.png"), optimize=True)


if __name__ == "__main__":
    main()
