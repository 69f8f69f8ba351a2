"""The digital editing error (table B6): what smoothing, lightening and repair do to a surface.

``python benchmarks/editing_error.py``: writes ``benchmarks/data/editing_error.csv`` and prints
it.  A ball and a round bone wall by formula; with ``LABKIT_REAL_DATA`` also the skull phantom.
"""

import csv
import itertools
import os
import tempfile
from pathlib import Path

import numpy as np
from scipy.special import erf

from labkit.parameters import Segmentation
from labkit.scan import choose, discover, read_volume
from labkit.segmentation import extract_surface, segment
from labkit.segmentation.editing import two_sided_mm
from labkit.surface import Distances
from labkit.volume import Array, Volume

TABLE = Path(__file__).parent / "data" / "editing_error.csv"
SMOOTHING_MM = (0.0, 0.05, 0.2)
DECIMATION_MM = (0.0, 0.05, 0.1, 0.3)
HALF_HEIGHT_MM = (0.0, 0.5)
GRID = list(itertools.product(SMOOTHING_MM, DECIMATION_MM, HALF_HEIGHT_MM))
SHORT_GRID = list(itertools.product((0.0, 0.05), (0.1, 0.3), (0.0,)))
"""For scans of millions of triangles."""

SPACING = np.array([0.7, 0.7, 1.25])


def phantom(hollow: bool) -> Volume:
    """A ball of 15 mm, or its wall of 2 mm, in HU: blur 0.5 mm, noise 20 HU."""
    steps = [(np.arange(n) - n / 2) * s + 0.123 for n, s in zip((60, 60, 36), SPACING, strict=True)]
    z, y, x = np.meshgrid(*steps[::-1], indexing="ij")
    depth = 15 - np.sqrt(x**2 + y**2 + z**2)
    share = _edge(depth) - (_edge(depth - 2) if hollow else 0)
    hu = -50 + 1050 * share + np.random.default_rng(1).normal(0, 20, x.shape)
    return Volume(np.rint(hu).astype(np.int16), np.zeros(3), SPACING, np.eye(3))


def _edge(depth_mm: Array) -> Array:
    return np.asarray(0.5 * (1 + erf(depth_mm / (np.sqrt(2) * 0.5))))


def rows_of(
    name: str, volume: Volume, threshold_hu: int, grid: list[tuple[float, float, float]]
) -> list[dict[str, str]]:
    """One row per setting: each step's error, and that of all together."""
    base = Segmentation(
        threshold_hu=threshold_hu,
        smoothing_bound_mm=0.0,
        decimation_bound_mm=0.0,
        fill_holes_mm3=0.0,
    )
    mask = segment(volume, base)
    raw = extract_surface(volume, mask, base).mesh
    rows = []
    for smooth, light, half in grid:
        own = base.model_copy(
            update={
                "smoothing_bound_mm": smooth,
                "decimation_bound_mm": light,
                "half_height_bound_mm": half,
            }
        )
        found = extract_surface(volume, mask, own)
        steps = {step.name: step.distances for step in found.steps}
        total = Distances.of(two_sided_mm(raw.vertices, raw.faces, found.mesh)[1])
        rows.append(
            {
                "phantom": name,
                "smoothing_bound_mm": f"{smooth:g}",
                "decimation_bound_mm": f"{light:g}",
                "half_height_bound_mm": f"{half:g}",
                "triangles": str(len(found.mesh.faces)),
                **_columns("smoothing", steps.get("smoothing")),
                **_columns("decimation", steps.get("decimation")),
                **_columns("half_height", steps.get("half height")),
                **_columns("repair", steps.get("repair")),
                **_columns("all", total),
                "volume_change_percent": f"{100 * (found.mesh.volume / raw.volume - 1):.3f}",
            }
        )
    return rows


def _columns(name: str, found: Distances | None) -> dict[str, str]:
    values = (found.median_mm, found.p95_mm, found.max_mm) if found else (0.0, 0.0, 0.0)
    names = (f"{name}_median_mm", f"{name}_p95_mm", f"{name}_max_mm")
    return {key: f"{value:.4f}" for key, value in zip(names, values, strict=True)}


def main() -> None:
    """Measure the grid, write the table, print the main columns as Markdown."""
    rows = rows_of("ball", phantom(False), 475, GRID) + rows_of(
        "wall of 2 mm", phantom(True), 300, GRID
    )
    real = os.environ.get("LABKIT_REAL_DATA")
    if real:
        with tempfile.TemporaryDirectory() as home:
            os.environ["LABKIT_HOME"] = home
            skull = read_volume(choose(discover(Path(real) / "ct_skull_phantom_1mm").series))
        rows += rows_of("ct_skull_phantom_1mm", skull, 300, SHORT_GRID)
    TABLE.parent.mkdir(exist_ok=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    shown = [
        name
        for name in rows[0]
        if name.startswith("all_") or name.endswith(("bound_mm", "phantom", "triangles", "percent"))
    ]
    print("| " + " | ".join(shown) + " |")
    print("|" + "---|" * len(shown))
    for row in rows:
        print("| " + " | ".join(row[name] for name in shown) + " |")


if __name__ == "__main__":
    main()
