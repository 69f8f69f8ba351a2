"""The threshold's part in volume and shape (table B2): one threshold after the other.

``python benchmarks/threshold_sweep.py [--alone]``: writes
``benchmarks/data/threshold_sweep.csv``, prints it.

Two rods with round ends whose outer surface is a formula.  *Printed*: one material in air, at
the thresholds of jdigitaldiagnostics.com article 63680, which scanned a printed bone-like
object: against the reference, the models were 1 to 27 % larger in volume and 0.03 to 0.41 mm
off on average.  *Bone*: a cortex of 1 to 4 mm around trabecular bone, in soft tissue.

Compared is the outer shell with the true outer surface: volume, and the distance without sign,
from places on both and to the other.  Beside it, the mean distance from the surface at the
threshold before.  Pass line: at every threshold no more than the upper ends of that window, at
the half height no more than the lower ends.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import trimesh
from peers import Row, alone, compared, programs, write_table
from phantoms import Grid, blurred_edge, outer_shells, places_on, scan_of

from labkit.parameters import Segmentation
from labkit.segmentation import PRESETS
from labkit.surface import signed_distances
from labkit.volume import Array, Volume

VOLUME_PERCENT = (1.0, 27.0)
DEVIATION_MM = (0.03, 0.41)
"""The published window."""

RADIUS_MM, LENGTH_MM = 12.0, 40.0  # of the cylinder between the round ends
CORTEX_MM = (1.0, 4.0)
SIZE_MM, SPACING_MM = (30.0, 30.0, 70.0), (0.6, 0.6, 0.8)
BLUR_MM, NOISE_HU = 0.3, 20.0
AIR_HU, SOFT_HU, TRABECULAR_HU, CORTICAL_HU = -1000.0, 50.0, 350.0, 1250.0
THRESHOLDS_HU: Mapping[str, Sequence[int]] = {
    "printed": (-700, -500, 0, 125, 500),
    "bone": (250, 350, 450, 550, 650, 750),
}
HALF_HEIGHT_HU = {"printed": 125, "bone": 650}
TRUTH = trimesh.creation.capsule(height=LENGTH_MM, radius=RADIUS_MM, count=[256, 256])


def depth_mm(x: Array, y: Array, z: Array) -> Array:
    """How deep a place lies under the outer surface."""
    beyond = np.maximum(np.abs(z) - LENGTH_MM / 2, 0)
    return np.asarray(RADIUS_MM - np.sqrt(x**2 + y**2 + beyond**2))


def scan(kind: str, seed: int = 1) -> Volume:
    """The rod in its surroundings; the blur is that across a flat surface."""

    def phantom(x: Array, y: Array, z: Array) -> Array:
        depth = depth_mm(x, y, z)
        outer = blurred_edge(depth, BLUR_MM)
        if kind == "printed":
            return AIR_HU + (CORTICAL_HU - AIR_HU) * outer
        end_mm = LENGTH_MM / 2 + RADIUS_MM
        cortex = np.interp(z, (-end_mm, end_mm), CORTEX_MM)
        inner = blurred_edge(depth - cortex, BLUR_MM)
        return np.asarray(
            SOFT_HU + (CORTICAL_HU - SOFT_HU) * outer - (CORTICAL_HU - TRABECULAR_HU) * inner
        )

    offset = (0.17, -0.11, 0.23)
    return scan_of(phantom, Grid(SIZE_MM, SPACING_MM, offset), noise_hu=NOISE_HU, seed=seed)


def parameters(threshold_hu: int) -> Segmentation:
    """As shipped, for a structure that has such thresholds; what it leaves hollow is filled."""
    structure = next(
        name for name, preset in PRESETS.items() if preset.low_hu <= threshold_hu <= preset.high_hu
    )
    return Segmentation(structure=structure, threshold_hu=threshold_hu, fill_holes_mm3=1e6)


def rows_of(thresholds_hu: Mapping[str, Sequence[int]], names: list[str]) -> list[Row]:
    """One row per rod, program and threshold."""
    rows = []
    for kind, levels in thresholds_hu.items():
        volume = scan(kind)
        found = compared([(volume, parameters(level)) for level in levels], names)
        for name, (number, level) in itertools.product(names, enumerate(levels)):
            shells = [outer_shells(mesh)[0] for mesh in found[name].meshes]
            mesh = shells[number]
            signed = off_truth_mm(mesh)
            row = {"rod": kind, "program": name, "threshold_hu": str(level)}
            row |= {
                "volume_percent": f"{100 * (abs(mesh.volume) / true_volume_mm3() - 1):+.2f}",
                "deviation_mm": f"{np.abs(signed).mean():.4f}",
                "signed_mm": f"{signed.mean():+.4f}",
                "p95_mm": f"{np.percentile(np.abs(signed), 95):.4f}",
                "from_threshold_before_mm": "",
                "triangles": str(len(mesh.faces)),
                "seconds": f"{found[name].seconds[number]:.2f}",
            }
            if number:
                step = signed_distances(places_on(mesh), shells[number - 1])
                row["from_threshold_before_mm"] = f"{np.abs(step).mean():.4f}"
            rows.append(row | {"in_window": "yes" if in_window(row) else "no"})
    return rows


def true_volume_mm3() -> float:
    """Of the rod, by formula."""
    return float(np.pi * RADIUS_MM**2 * (LENGTH_MM + 4 / 3 * RADIUS_MM))


def off_truth_mm(mesh: trimesh.Trimesh) -> Array:
    """(n,), mm, positive outside: from places on the surface, and from places on the true one."""
    there = places_on(mesh)
    return np.concatenate([-depth_mm(*there.T), -signed_distances(places_on(TRUTH), mesh)])


def in_window(row: Row) -> bool:
    """Whether a row keeps the pass line."""
    end = 0 if int(row["threshold_hu"]) == HALF_HEIGHT_HU[row["rod"]] else 1
    return (
        abs(float(row["volume_percent"])) <= VOLUME_PERCENT[end]
        and float(row["deviation_mm"]) <= DEVIATION_MM[end]
    )


def main() -> None:
    """Sweep, write the table, print it and the verdict."""
    rows = rows_of(THRESHOLDS_HU, programs(alone(__doc__)))
    write_table("threshold_sweep", rows, lambda _: True)
    print()
    for name in dict.fromkeys(row["program"] for row in rows):
        mine = [row for row in rows if row["program"] == name]
        kept = sum(row["in_window"] == "yes" for row in mine)
        print(f"{name}: {kept} of {len(mine)} thresholds keep the pass line")


if __name__ == "__main__":
    main()
