"""Make ``docs/design/prosthesis.png``: ``python docs/design/make_prosthesis_picture.py``."""

import tempfile
from pathlib import Path

import manifold3d
import pyvista
import trimesh
from pictures import ordered, save, taken

from labkit.design import Anatomy, Part, design_part
from labkit.parameters import Prosthesis
from labkit.surface import mesh_of

ORDER = ordered("prosthesis", "forearm", "right")


def stump() -> trimesh.Trimesh:
    """A residual limb, LPS mm."""
    limb = trimesh.creation.capsule(height=120, radius=35, count=[64, 64])
    limb.apply_translation((-140.0, 25.0, 1300.0))
    return limb


def link() -> manifold3d.Manifold:
    """A finger's link: two bores for pins, one for a cord."""
    body = manifold3d.Manifold.cube((44, 14, 14), True)
    for diameter, x in ((5.0, -15.0), (5.0, 15.0)):
        across = manifold3d.Manifold.cylinder(30, diameter / 2, diameter / 2, 64, True)
        body -= across.rotate((90, 0, 0)).translate((x, 0, 0))
    cord = manifold3d.Manifold.cylinder(60, 1.25, 1.25, 48, True)
    return body - cord.rotate((0, 90, 0)).translate((0, 0, 4.5))


def hand_part(scale_percent: float) -> Part:
    """The link at a scale."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "link.stl"
        mesh_of(link()).export(file)
        chosen = Prosthesis(
            kind="hand parts", parts=str(file), parts_unit="mm", scale_percent=scale_percent
        )
        return design_part(Anatomy(stump()), chosen, ORDER)


def main() -> None:
    """A socket cut open, and a finger's link at 100 and at 150 % with the same bores."""
    plotter = pyvista.Plotter(off_screen=True, shape=(1, 2), window_size=(1100, 560))
    chosen = Prosthesis(length_mm=90.0, distal_mm=6.0, step_mm=1.5)
    socket = design_part(Anatomy(stump()), chosen, ORDER)
    plotter.subplot(0, 0)
    open_ = pyvista.wrap(socket.mesh).clip_closed_surface(normal=(0, 1, 0), origin=(0, 0, 0))
    plotter.add_mesh(open_, color="#d9d2c5")
    plotter.view_vector((0.3, -1, 0.5), (0, 0, 1))
    plotter.subplot(0, 1)
    for scale, shift in ((100.0, 0.0), (150.0, 34.0)):
        part = hand_part(scale)
        bores = ", ".join(f"{row['measured_mm']:g}" for row in part.details["bores"])
        mesh = part.mesh.copy()
        mesh.apply_translation((0, 0, shift))
        plotter.add_mesh(pyvista.wrap(mesh), color="#8fb3c9" if shift else "#d9d2c5")
        words = f"{scale:g} %: bores {bores or 'as drawn'} mm"
        plotter.add_text(words, position=(20, 60 + 10 * shift), font_size=9, color="black")
    plotter.view_vector((0.5, -1, 0.35), (0, 0, 1))
    save(taken(plotter), "prosthesis")


if __name__ == "__main__":
    main()
