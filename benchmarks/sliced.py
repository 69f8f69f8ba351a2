"""Made parts and their G-code, for the benchmarks of reading it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import manifold3d
import numpy as np
import trimesh

from labkit import equipment
from labkit.slicing.slicer import slice_part


def bone(around: int = 300, along: int = 350) -> trimesh.Trimesh:
    """A shaft 38 × 34 × 80 mm with wide, rough ends; its surface is a formula."""
    angle, height = np.meshgrid(
        np.arange(around) * 2 * np.pi / around, np.linspace(-1, 1, along), indexing="xy"
    )
    radius = np.sqrt(1 - 0.8 * height**2) * (
        1
        + 0.35 * np.abs(height) ** 3
        + 0.08 * np.sin(6 * angle + 5 * height)
        + 0.01 * np.sin(40 * height) * np.cos(31 * angle)
    )
    sides = np.stack(
        [18 * radius * np.cos(angle), 16 * radius * np.sin(angle), 40 * (height + 1)], axis=-1
    ).reshape(-1, 3)
    ring = np.arange(around)
    quads = [(low, low + around) for low in range(0, around * (along - 1), around)]
    faces = [
        face
        for low, high in quads
        for face in (
            np.column_stack([low + ring, low + np.roll(ring, -1), high + ring]),
            np.column_stack([low + np.roll(ring, -1), high + np.roll(ring, -1), high + ring]),
        )
    ]
    caps = [(0, 0.0, -1), (around * (along - 1), 80.0, 1)]
    points = np.vstack([sides, *([[0.0, 0.0, z]] for _, z, _ in caps)])
    for number, (first, _, up) in enumerate(caps):
        middle = np.full(around, len(sides) + number)
        pair = (first + ring, first + np.roll(ring, -1))[::up]
        faces.append(np.column_stack([*pair, middle]))
    return trimesh.Trimesh(points, np.vstack(faces), process=False)


def big_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """G-code of 20 to 50 MB, with the name of how each was made."""
    four = [bone() for _ in range(4)]
    for mesh, (right, back) in zip(four, itertools.product((0, 45), (0, 42)), strict=True):
        mesh.apply_translation([right, back, 0])
    trimesh.util.concatenate(four).export(folder / "four.stl")
    for name, height, supports in (("0.1 mm", 0.1, False), ("0.12 mm, supports", 0.12, True)):
        path = folder / f"four_{height}.gcode"
        if not path.exists():
            slice_to(folder / "four.stl", path, height, 15, supports=supports)
        yield f"four bones, {name}", path
    as_cura = folder / "four_as_cura.gcode"
    if not as_cura.exists():
        rewrite_as_cura(folder / "four_0.1.gcode", as_cura)
    yield "four bones, 0.1 mm, as Cura writes", as_cura


def rewrite_as_cura(source: Path, path: Path) -> None:
    """PrusaSlicer's file with absolute extrusion, Cura's marks and line ends of Windows."""
    names = {
        "External perimeter": "WALL-OUTER",
        "Perimeter": "WALL-INNER",
        "Internal infill": "FILL",
        "Solid infill": "SKIN",
        "Top solid infill": "SKIN",
    }
    pushed, layer = 0.0, -1
    with source.open() as lines, path.open("w", newline="") as written:
        for raw in lines:
            line = raw.rstrip()
            if line.startswith("G1 ") and " E" in line:
                words = line.split()
                place = next(n for n, word in enumerate(words) if word[0] == "E")
                pushed += float(words[place][1:])
                words[place] = f"E{pushed:.5f}"
                line = " ".join(words)
            elif line.startswith("G92 E0"):
                pushed = 0.0
            elif line.startswith("M83"):
                line = "M82"
            elif line == ";LAYER_CHANGE":
                layer += 1
                line = f";LAYER:{layer}"
            elif line.startswith((";Z:", ";HEIGHT:", ";WIDTH:")):
                continue
            elif line.startswith(";TYPE:"):
                line = f";TYPE:{names.get(line[6:], 'SKIN' if layer >= 0 else 'Custom')}"
            written.write(line + "\r\n")


def slice_to(
    stl: Path,
    path: Path,
    layer_height_mm: float,
    infill_percent: int,
    *,
    supports: bool = False,
    printer: str = "practice",
    material: str = "PLA",
) -> None:
    slice_part(
        stl,
        path,
        printer=equipment.printer(printer),
        material=equipment.material(material),
        layer_height_mm=layer_height_mm,
        infill_percent=infill_percent,
        supports=supports,
        timeout_s=3600,
    )


def parts() -> dict[str, manifold3d.Manifold]:
    """Small parts of every kind."""
    solid = manifold3d.Manifold
    ball = solid.sphere(12, 96).translate((0, 0, 11))
    above = solid.cube((60, 60, 60)).translate((-30, -30, 0))
    return {
        "box with a bore": solid.cube((30, 20, 12))
        - solid.cylinder(12, 4, 4, 96).translate((15, 10, 0)),
        "ball": ball ^ above,
        "plate": solid.cube((80, 40, 3)),
        "cup": solid.cylinder(30, 15, 20, 128)
        - solid.cylinder(30, 13.8, 18.8, 128).translate((0, 0, 1.2)),
        "pins": solid.compose(
            [
                solid.cylinder(15, 2, 1, 32).translate((8 * i, 8 * j, 0))
                for i in range(3)
                for j in range(3)
            ]
        ),
        "bridge": solid.cube((40, 12, 16)) - solid.cube((24, 12, 12)).translate((8, 0, 0)),
    }
