"""Make ``docs/design/lattice.png``: ``python docs/design/make_lattice_picture.py``."""

from pictures import row_of

from labkit.parameters import Lattice

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
"""Two cells, a grading, a skin with open ends."""

if __name__ == "__main__":
    row_of("lattice", PARTS, (60, -75, 52), (0, 0, 9))
