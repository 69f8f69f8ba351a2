"""Time and mass of ten files as labkit reads them, beside what PrusaSlicer itself says.

``python benchmarks/gcode_estimates.py [--keep FOLDER]``: slices made parts with several heights of
layers, infills, printers and materials; writes ``benchmarks/data/gcode_estimates.csv``, prints it.

The time is labkit's plan with the limits that the file states, so that like is compared with like.
The mass is that of what is laid: the slicer's own number has no start code in it, which takes
0.04 g with these printers; ``with_start_code_g`` is what leaves the spool.

The limits are what the project was set; whether each is met is printed.
"""

import argparse
import tempfile
from pathlib import Path

from peers import Row, write_table
from sliced import bone, parts, slice_to

from labkit import equipment
from labkit.slicing.gcode import read_gcode
from labkit.surface import mesh_of

TIME_WITHIN, MASS_WITHIN = 0.05, 0.01
"""Pass: of the slicer's own."""

JOBS: list[tuple[str, float, int, dict[str, object]]] = [
    ("box with a bore", 0.2, 15, {}),
    ("box with a bore", 0.1, 60, {"printer": "MK3S"}),
    ("ball", 0.15, 20, {"material": "PETG", "supports": True}),
    ("plate", 0.3, 100, {}),
    ("cup", 0.2, 0, {"printer": "MK3S"}),
    ("pins", 0.2, 15, {}),
    ("bridge", 0.25, 30, {"supports": True}),
    ("bridge", 0.2, 10, {"printer": "MK3S", "material": "PETG"}),
    ("bone", 0.2, 15, {}),
    ("bone", 0.3, 25, {"printer": "MK3S", "supports": True}),
]
"""Part, height of the layers, infill, and what differs from the practice printer with PLA."""


def estimate_rows(folder: Path, jobs: list[tuple[str, float, int, dict[str, object]]]) -> list[Row]:
    made = {name: mesh_of(part) for name, part in parts().items()}
    made["bone"] = bone(200, 250)
    rows = []
    for number, (name, height, infill, more) in enumerate(jobs):
        stl, path = folder / f"part_{number}.stl", folder / f"part_{number}.gcode"
        made[name].export(stl)
        if not path.exists():
            slice_to(stl, path, height, infill, **more)  # type: ignore[arg-type]
        material = equipment.material(str(more.get("material", "PLA")))
        read = read_gcode(
            path,
            filament_diameter_mm=material.filament_diameter_mm,
            density_g_cm3=material.density_g_cm3,
        )
        stated_g = _stated(path, "filament used [g]")
        mass_g = read.mass_g * read.laid_mm / read.filament_mm
        stated_s = read.stated_time_s or float("nan")
        time_off, mass_off = read.planned_time_s / stated_s - 1, mass_g / stated_g - 1
        rows.append(
            {
                "part": name,
                "layer_mm": f"{height:g}",
                "infill_percent": f"{infill}",
                "printer": str(more.get("printer", "practice")),
                "material": material.name,
                "supports": "yes" if more.get("supports") else "no",
                "slicer_s": f"{stated_s:.0f}",
                "planned_s": f"{read.planned_time_s:.0f}",
                "distance_over_feed_s": f"{read.moving_time_s:.0f}",
                "time_off_percent": f"{100 * time_off:+.2f}",
                "slicer_g": f"{stated_g:.2f}",
                "laid_g": f"{mass_g:.3f}",
                "mass_off_percent": f"{100 * mass_off:+.2f}",
                "with_start_code_g": f"{read.mass_g:.3f}",
            }
        )
    return rows


def verdicts(rows: list[Row]) -> list[str]:
    worst_s = max(abs(float(row["time_off_percent"])) for row in rows)
    worst_g = max(abs(float(row["mass_off_percent"])) for row in rows)
    return [
        f"{len(rows)} files: {words}: {'met' if met else 'NOT MET'}"
        for words, met in (
            (f"time within {worst_s:.2f} % of the slicer's", worst_s <= 100 * TIME_WITHIN),
            (f"mass within {worst_g:.2f} % of the slicer's", worst_g <= 100 * MASS_WITHIN),
        )
    ]


def _stated(path: Path, name: str) -> float:
    line = next(row for row in path.read_text().splitlines() if row.startswith(f"; {name} ="))
    return float(line.partition("=")[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="where the files are kept for another run")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = estimate_rows(folder, JOBS)
    write_table("gcode_estimates", rows, lambda column: True)
    print("\n".join(verdicts(rows)))


if __name__ == "__main__":
    main()
