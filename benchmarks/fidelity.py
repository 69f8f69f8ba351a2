"""Real parts, sliced by the kit: does the G-code describe them, and how long does it take?

``LABKIT_REAL_DATA=… python benchmarks/fidelity.py``: writes ``benchmarks/data/fidelity.csv``.

Pass lines: volume within 1 %, 95 % of each layer's outline within half a line, and at most 5 s
for 400 layers.  What the slicer leaves out, since it is thinner than two lines, is named.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyvista
import trimesh
from peers import Row, write_table

from labkit import equipment
from labkit.slicing.fidelity import fidelity
from labkit.slicing.slicer import slice_part
from labkit.slicing.toolpath import read_toolpath
from labkit.surface import read_stl, write_stl

HAND, BONES, OPENSIM = "prosthetic_hand_raptor/Print", "bones_mesh", "bones_opensim_vtp"
PARTS = (
    *(f"{HAND}/raptor_reloaded_{n}.stl" for n in ("gauntlet", "right_palm", "tensioner")),
    *(f"{HAND}/raptor_reloaded_{n}.stl" for n in ("retention_clip", "wrist_pin")),
    *(f"{HAND}/raptor_2.0_{n}.stl" for n in ("fingertip", "proximal")),
    f"{BONES}/autoCarpal1_outer.stl",
    f"{BONES}/manualCarpal1.stl",
    f"{BONES}/m3/m3_lfemur_mm.stl",
    *(f"{OPENSIM}/{n}.vtp" for n in ("lumbar3", "sacrum", "talus_rv", "calcaneous_rv")),
    *(f"{OPENSIM}/{n}.vtp" for n in ("arm_r_scaphoid", "l_patella")),
)
VOLUME, SECONDS_400 = 0.01, 5.0


def mesh_from(path: Path) -> trimesh.Trimesh:
    """A part in mm; OpenSim's are in metres."""
    if path.suffix == ".stl":
        return read_stl(path)
    surface = pyvista.read(path).triangulate().clean()
    return trimesh.Trimesh(surface.points * 1000, surface.regular_faces)


def rows_of(data: Path, parts: tuple[str, ...]) -> Iterator[Row]:
    """One row a part."""
    printer, material = equipment.printer("practice"), equipment.material("PLA")
    with tempfile.TemporaryDirectory() as name:
        stl, gcode = Path(name) / "part.stl", Path(name) / "part.gcode"
        for part in parts:
            mesh = mesh_from(data / part)
            write_stl(mesh, stl)
            sliced = slice_part(
                stl,
                gcode,
                printer=printer,
                material=material,
                layer_height_mm=0.2,
                infill_percent=15,
                supports=True,
            )
            path = read_toolpath(gcode)
            wall, processor = time.perf_counter(), time.process_time()
            found = fidelity(path, mesh, sliced.shift_mm, material=material, infill_percent=15)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            said = [f"{one.rule}: {one.message} ({one.where})" for one in found.deviations]
            kept = abs(found.volume_error) < VOLUME and found.outline_mm < found.line_mm / 2
            quick = processor * 400 / max(len(found.z_mm), 400) <= SECONDS_400
            yield {
                "part": Path(part).stem,
                "triangles": str(len(mesh.faces)),
                "layers": str(len(found.z_mm)),
                "MB": f"{gcode.stat().st_size / 1e6:.1f}",
                "volume_percent": f"{100 * found.volume_error:+.3f}",
                "difference_percent": f"{100 * found.difference:.3f}",
                "outline_p95_mm": f"{found.outline_mm:.3f}",
                "wall_s": f"{wall:.2f}",
                "processor_s": f"{processor:.2f}",
                "limits": "kept" if kept and quick and found.faithful else "NOT KEPT",
                "said": "; ".join(said),
            }


def main() -> None:
    """Measure all parts, write and print the table."""
    list(rows_of(Path(os.environ["LABKIT_REAL_DATA"]), PARTS[3:4]))  # compiles
    rows = list(rows_of(Path(os.environ["LABKIT_REAL_DATA"]), PARTS))
    write_table("fidelity", rows, lambda name: name != "said")
    for row in rows:
        if row["said"]:
            print(f"{row['part']}: {row['said']}")


if __name__ == "__main__":
    main()
