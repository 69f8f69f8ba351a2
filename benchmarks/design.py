"""Time and memory of the heavy steps of a design, beside the plain way of a library.

``python benchmarks/design.py``: writes ``benchmarks/data/design.csv`` and prints it.  Each
step runs in a process of its own, so that the peak of memory is its own.  How exact gyroids
are, and what whole parts of them take, is in ``design_gyroid.py``.
"""

import csv
import multiprocessing
import resource
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import trimesh

from labkit.design.implicit import below
from labkit.design.printability.thickness import walls
from labkit.surface import mesh_of, solid

TABLE = Path(__file__).parent / "data" / "design.csv"
GYROID = 200
FEW = 2_000
"""How many places the library's own way is asked for: it is timed on these, not on all."""


def bone(rings: int) -> trimesh.Trimesh:
    """A closed, bumpy body of 4 × rings² triangles, 60 mm wide."""
    ball = trimesh.creation.uv_sphere(radius=30, count=(rings, rings))
    x, y, z = (ball.vertices / 30).T
    ball.vertices *= (1 + 0.05 * np.sin(9 * x) * np.sin(7 * y) * np.sin(8 * z))[:, None]
    return ball


def guide() -> trimesh.Trimesh:
    """A block with a bore, over the top of the bone."""
    block = trimesh.creation.box(bounds=((-12, -12, 20), (12, 12, 40)))
    bore = trimesh.creation.cylinder(radius=2, height=100, sections=64)
    made = trimesh.boolean.difference([block, bore], engine="manifold")
    assert isinstance(made, trimesh.Trimesh)
    return made


def boolean_kit() -> dict[str, float]:
    body, tool = bone(354), guide()
    start = time.perf_counter()
    left = solid(tool.vertices, tool.faces, "guide") - solid(body.vertices, body.faces, "bone")
    made = mesh_of(left)
    return _about(start, len(body.faces), made.volume)


def boolean_trimesh() -> dict[str, float]:
    body, tool = bone(354), guide()
    start = time.perf_counter()
    made = trimesh.boolean.difference([tool, body], engine="manifold")
    assert isinstance(made, trimesh.Trimesh)
    return _about(start, len(body.faces), made.volume)


def thickness_kit() -> dict[str, float]:
    ball = trimesh.creation.uv_sphere(radius=3, count=(224, 224))
    start = time.perf_counter()
    found = walls(ball, reach_mm=8)
    return _about(start, len(ball.faces), float(np.abs(found.mm / 6 - 1).max()))


def thickness_trimesh() -> dict[str, float]:
    ball = trimesh.creation.uv_sphere(radius=3, count=(224, 224))
    chosen = np.linspace(0, len(ball.faces) - 1, FEW).astype(int)
    points, normals = ball.triangles_center[chosen], ball.face_normals[chosen]
    start = time.perf_counter()
    found = trimesh.proximity.thickness(ball, points, normals=normals, method="ray")
    return _about(start, len(ball.faces), float(np.abs(found / 6 - 1).max()))


def gyroid() -> tuple[npt.NDArray[np.float32], float]:
    """A sheet gyroid of 5 cells of 8 mm, 200³ samples, below zero in the wall; the step, mm."""
    step_mm = 40.0 / 199
    axis = np.linspace(0, 10 * np.pi, GYROID, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    value = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
    return np.abs(value) - np.float32(0.4), step_mm


def gyroid_kit() -> dict[str, float]:
    start = time.perf_counter()
    values, step_mm = gyroid()
    body = below(values, np.zeros(3), step_mm)
    return _about(start, body.num_tri(), 1 - body.volume() / 40.0**3)


def gyroid_trimesh() -> dict[str, float]:
    start = time.perf_counter()
    values, step_mm = gyroid()
    closed = np.pad(values, 1, constant_values=np.float32(1.0))
    mesh = trimesh.voxel.ops.matrix_to_marching_cubes(-closed, pitch=step_mm, threshold=0.0)
    return _about(start, len(mesh.faces), 1 - abs(mesh.volume) / 40.0**3)


def _about(start: float, triangles: int, result: float) -> dict[str, float]:
    taken = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"triangles": triangles, "seconds": taken, "peak_mb": peak_mb, "result": result}


STEPS: list[tuple[str, str, str, Callable[[], dict[str, float]]]] = [
    ("gyroid, 200³ samples", "kit: flying edges, exact body", "porosity", gyroid_kit),
    ("gyroid, 200³ samples", "trimesh, scikit-image", "porosity", gyroid_trimesh),
    ("guide minus bone", "kit: manifold3d, exact", "volume, mm3", boolean_kit),
    ("guide minus bone", "trimesh.boolean, manifold", "volume, mm3", boolean_trimesh),
    ("thickness, all triangles", "kit: rays by VTK", "worst error, share", thickness_kit),
    (
        f"thickness, {FEW} places",
        "trimesh.proximity, embreex",
        "worst error, share",
        thickness_trimesh,
    ),
]


NEEDS = {thickness_trimesh: "embreex", gyroid_trimesh: "skimage"}


def main() -> None:
    rows = []
    spawn = multiprocessing.get_context("spawn")
    for step, way, what, measured in STEPS:
        needed = NEEDS.get(measured, "")
        if needed and find_spec(needed) is None:
            print(f"left out: {way}; it needs {needed}, which the kit does not bring")
            continue
        with spawn.Pool(1) as pool:
            found = pool.apply(measured)
        rows.append(
            {"step": step, "way": way, "result_is": what}
            | {name: f"{value:.4g}" for name, value in found.items()}
        )
    with TABLE.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
