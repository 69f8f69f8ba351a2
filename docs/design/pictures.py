"""What the pictures of the families have in common; run by the scripts beside it."""

from collections.abc import Sequence
from pathlib import Path

import pyvista
import trimesh
from PIL import Image

from labkit.case import Device, Order
from labkit.design import Anatomy, design_part
from labkit.parameters import Design

Place = tuple[float, float, float]

SIZE_PX = (420, 420)


def ordered(device: Device, anatomy: str = "none", laterality: str = "none") -> Order:
    """An order to practise on."""
    return Order.model_validate(
        {
            "case": "C-0001",
            "patient_code": "P-1",
            "anatomy": anatomy,
            "laterality": laterality,
            "device": device,
            "requested_by": "course leader",
            "practice": True,
        }
    )


def save(pixels: Image.Image, name: str, colours: int = 64) -> None:
    """Write ``<name>.png`` beside this file, in few colours."""
    pixels.quantize(colours).save(Path(__file__).with_name(f"{name}.png"), optimize=True)


def taken(plotter: pyvista.Plotter) -> Image.Image:
    """What a plotter shows."""
    return Image.fromarray(plotter.screenshot(return_img=True))


def row_of(name: str, parts: Sequence[Design], camera: Place, focus: Place) -> None:
    """Make ``<name>.png``: parts side by side, seen from one place, mm."""
    rod = trimesh.creation.cylinder(radius=10, height=22, sections=96)
    row = Image.new("RGB", (SIZE_PX[0] * len(parts), SIZE_PX[1]), "white")
    for number, parameters in enumerate(parts):
        mesh = design_part(Anatomy(rod), parameters, ordered(parameters.device)).mesh
        plotter = pyvista.Plotter(off_screen=True, window_size=SIZE_PX)
        plotter.background_color = "white"
        plotter.add_mesh(
            pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces),
            color="#d9d2c5",
            smooth_shading=False,
        )
        plotter.camera_position = [camera, focus, (0, 0, 1)]
        plotter.camera.zoom(1.25)
        row.paste(taken(plotter), (number * SIZE_PX[0], 0))
    save(row, name, 48)
