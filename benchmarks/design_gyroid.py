"""How exactly gyroids are meshed, and what a large one takes.

``python benchmarks/design_gyroid.py`` prints both tables.  The porosity of one cell is
known from the level; the area of the minimal surface is 3.0915 of the cell's side².
"""

import resource
import sys
import time

import numpy as np

from labkit.design.envelope import of_block
from labkit.design.filling import fill
from labkit.design.implicit import cell
from labkit.surface import mesh_of

AREA = 3.0915
KIB_PER_UNIT = 1024 if sys.platform == "darwin" else 1


def gyroid_benchmark() -> list[dict[str, float | str]]:
    """Rows: one cell at several samplings against the formula, then whole parts."""
    rows = [_one_cell(name, count) for name in ("sheet", "network") for count in (12, 16, 24, 48)]
    return rows + [_part(cells) for cells in (2, 4, 8)]


def _one_cell(form: str, count: int) -> dict[str, float | str]:
    made_of = cell(f"gyroid {form}")
    errors = [made_of.sampling_error(porosity, count) for porosity in (0.5, 0.7, 0.9)]
    thin = made_of.area(0.95) / (2 * AREA) if form == "sheet" else made_of.area(0.5) / AREA
    return {
        "what": f"one cell, {form}",
        "samples": f"{count}³",
        "worst porosity error": max(errors, key=abs),
        "area over that of the minimal surface, less 1": thin - 1,
    }


def _part(cells: int) -> dict[str, float | str]:
    """A cube of so many cells of 5 mm, porosity 0.7: solved, meshed, closed, one body."""
    side = 5.0 * cells
    before = _peak_mb()
    start = time.perf_counter()
    filled = fill(of_block((side,) * 3, np.zeros(3)), cell("gyroid sheet"), 5.0, (0.7, 0.7))
    seconds = time.perf_counter() - start
    mesh = mesh_of(filled.body)
    return {
        "what": f"cube of {side:.0f} mm, sheet",
        "samples": f"{round(side / filled.spacing_mm)}³",
        "worst porosity error": float(1 - mesh.volume / side**3 - 0.7),
        "triangles": len(mesh.faces),
        "watertight": str(mesh.is_watertight),
        "seconds": seconds,
        "memory, MB more than before": _peak_mb() - before,
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / KIB_PER_UNIT


def main() -> None:
    """Print the rows, each with what it has."""
    for row in gyroid_benchmark():
        print(
            ", ".join(
                f"{k}: {v:.4g}" if isinstance(v, float) else f"{k}: {v}" for k, v in row.items()
            )
        )


if __name__ == "__main__":
    main()
