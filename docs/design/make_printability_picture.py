"""Make ``docs/design/printability.png``: ``python docs/design/make_printability_picture.py``."""

import io
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from labkit import equipment, views
from labkit.design import Part, PrintObject, printability

BOXES = (
    ((0, 0, 0), (60, 30, 3)),
    ((4, 6, 0), (20, 6.5, 20)),  # a wall of one line
    ((4, 14, 0), (20, 17, 12)),
    ((4, 17.3, 0), (20, 22, 12)),  # a gap that closes
    ((30, 10, 0), (30.9, 10.9, 18)),  # a pin
    ((40, 8, 0), (46, 22, 20)),
    ((40, 8, 17), (58, 22, 20)),  # a roof over nothing
    ((52, 13, 9), (56, 17, 18)),  # what begins in the air
)


def main() -> None:
    """A part that breaks a rule in each corner."""
    blocks = [trimesh.creation.box(bounds=corners) for corners in BOXES]
    part = trimesh.boolean.union(blocks, engine="manifold")
    part.apply_translation((-30, -15, 0))
    found = printability(
        Part((PrintObject("part", part),), np.eye(4)), equipment.printer("practice")
    )
    picture = views.printable(part, found)
    with Image.open(io.BytesIO(picture.png)) as image:
        small = image.convert("RGB").quantize(64)
        small.save(Path(__file__).with_name("printability.png"), optimize=True)


if __name__ == "__main__":
    main()
