"""Reading G-code: speed and memory beside other readers.

``python benchmarks/gcode.py [--alone] [--keep FOLDER]``: writes ``benchmarks/data/gcode.csv`` and
prints it.  A made, bone-like mesh is sliced by PrusaSlicer into files of 20 to 50 MB, one of which
is written again as Cura writes: absolute extrusion, its own marks, line ends of Windows.

Every program runs in a process of its own, the peers in an environment of their own, made from
PyPI on first use.  labkit does the whole: layers, paths, extrusion, features, times with
acceleration, and the gate.  What the others do is less and is named in the table.  Seconds are
the best of several rounds, in which the quick programs take turns, without starting Python and
imports; memory is the peak beyond what the process held before.  labkit and polars both use all
processors.  "first in a process" has the loading of machine code in it, "first ever" its
compiling, in seconds and in memory; the limits are held against neither.  Where other programs
share the machine the processor's seconds say more; those of polars and labkit are of all
processors together.

The limits are what the project was set; whether each is met is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import manifold3d
from peers import Row, environment, write_table
from sliced import big_files, slice_to

from labkit.errors import ToolMissingError
from labkit.surface import mesh_of

Told = dict[str, float]

PEERS = {"polars": "2.1.0", "gcodeparser": "0.3.0", "pygcode": "0.2.1"}

FASTER_THAN_ANY, FASTER_THAN_GCODEPARSER, MEMORY_TIMES = 2.5, 10.0, 8.0
"""Pass: against the fastest other program of the same run, and the file's size."""

_MEASURE = """
import json, sys, time
from pathlib import Path
def memory_mib(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
def measured(job, path, runs):
    told = []
    for _ in range(runs):
        Path("/proc/self/clear_refs").write_text("5")
        before, began, processor = memory_mib("VmRSS"), time.perf_counter(), time.process_time()
        found = job(path)
        told.append((time.perf_counter() - began, time.process_time() - processor,
                     memory_mib("VmHWM") - before))
        found = {**found} if isinstance(found, dict) else {"moves": found}
    seconds, processor, peak = (min(column) for column in zip(*told))
    peak = max(row[2] for row in told)
    print(json.dumps({"seconds": seconds, "processor_s": processor, "peak_mib": peak, **found}))
path, small, runs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
"""

_LABKIT = """
from labkit import equipment
from labkit.slicing.gate import check_gcode
from labkit.slicing.gcode import read_gcode
from labkit.slicing.toolpath import read_toolpath
printer, material = equipment.printer("practice"), equipment.material("PLA")
def job(path):
    moves = read_toolpath(path)
    read = read_gcode(path, filament_diameter_mm=1.75, density_g_cm3=1.24, toolpath=moves)
    found = check_gcode(path, printer, material, toolpath=moves)
    assert read.layers and read.features
    return {"moves": len(moves.line), "blocked": sum(f.severity == "block" for f in found)}
"""

_LOOP = """
def job(path):
    x = y = z = e = feed = filament = 0.0
    relative, feature, layers, low, high = False, "", 0, [1e9] * 3, [-1e9] * 3
    by_feature, points, number = {}, [], 0
    with open(path) as stream:
        for line in stream:
            if line.startswith(("G1 ", "G0 ")):
                number, last = number + 1, e
                if relative:
                    e = 0.0
                for word in line.partition(";")[0].split()[1:]:
                    letter, value = word[0], float(word[1:])
                    if letter == "X": x = value
                    elif letter == "Y": y = value
                    elif letter == "Z": z = value
                    elif letter == "E": e = value
                    elif letter == "F": feed = value
                pushed = e if relative else e - last
                if pushed > 0:
                    filament += pushed
                    by_feature[feature] = by_feature.get(feature, 0.0) + pushed
                    low = [min(low[0], x), min(low[1], y), min(low[2], z)]
                    high = [max(high[0], x), max(high[1], y), max(high[2], z)]
                    points.append((x, y, z, layers))
            elif line.startswith(";TYPE:"): feature = line[6:].strip()
            elif line.startswith((";LAYER_CHANGE", ";LAYER:")): layers += 1
            elif line.startswith("M83"): relative = True
            elif line.startswith("M82"): relative = False
            elif line.startswith("G92 E0"): e = 0.0
    return number
"""

_POLARS = """
import polars as pl
def job(path):
    lines = pl.read_csv(path, has_header=False, separator="\\x01", quote_char=None,
                        new_columns=["line"])
    text = pl.col("line")
    table = lines.with_columns(
        *(text.str.extract(rf"^G[01].*? {axis}(-?[0-9]*\\.?[0-9]+)").cast(pl.Float64).alias(axis)
          for axis in "XYZEF"),
        text.str.extract(r"^;TYPE:(.*)").forward_fill().alias("feature"),
        text.str.starts_with(";LAYER").cum_sum().alias("layer"),
        text.str.contains("^G[01] ").alias("move"),
    ).with_columns(pl.col("X", "Y", "Z", "F").forward_fill())
    table.group_by("feature").agg(pl.col("E").sum())
    table.group_by("layer").agg(pl.col("E").sum(), pl.col("X").min(), pl.col("Y").max())
    return int(table["move"].sum())
"""

_GCODEPARSER = """
from gcodeparser import GcodeParser
def job(path):
    lines = GcodeParser(path.read_text(), include_comments=True).lines
    return sum(line.command in (("G", 0), ("G", 1)) for line in lines)
"""

_PYGCODE = """
from pygcode import Line
def job(path):
    moves, text = 0, path.read_text()
    for line in text.splitlines():
        try:
            moves += any(code.word_key in ("G00", "G01") for code in Line(line).block.gcodes)
        except Exception:
            continue
    return moves
"""

_ONCE = "measured(job, path, 1)\n"
_BEST = "job(small)\nmeasured(job, path, runs)\n"

PROGRAMS = {
    "labkit": ("labkit", "all, and the gate", _MEASURE + _LABKIT + _BEST),
    "labkit, first in a process": ("labkit", "all, and the gate", _MEASURE + _LABKIT + _ONCE),
    "labkit, first ever": ("labkit", "all, and the gate", _MEASURE + _LABKIT + _ONCE),
    "plain loop": ("", "paths, layers, features", _MEASURE + _LOOP + _BEST),
    "polars": ("polars", "columns, sums by layer", _MEASURE + _POLARS + _BEST),
    "gcodeparser": ("gcodeparser", "lines as objects", _MEASURE + _GCODEPARSER + _BEST),
    "pygcode": ("pygcode", "lines as objects", _MEASURE + _PYGCODE + _BEST),
}
"""Whose environment, what it does, how.  pygcode gets the first 2 MB of a file."""


QUICK = ("labkit", "labkit, first in a process", "plain loop", "polars")
ROUNDS = 4


def _measured(program: str, path: Path, small: Path, python: Path | None) -> Told:
    whose, _, code = PROGRAMS[program]
    words = [str(path), str(small), "2" if program in QUICK else "1"]
    with tempfile.TemporaryDirectory() as fresh:
        environment = dict(os.environ)
        if program == "labkit, first ever":
            environment["NUMBA_CACHE_DIR"] = fresh
        done = subprocess.run(
            [sys.executable if whose in ("labkit", "") else python, "-c", code, *words],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def speed_rows(folder: Path, python: Path | None) -> list[Row]:
    """One row per file and program; that of labkit says whether each limit is met."""
    rows = list[Row]()
    small = folder / "small.gcode"
    if not small.exists():
        mesh_of(manifold3d.Manifold.cube((10, 10, 5))).export(folder / "small.stl")
        slice_to(folder / "small.stl", small, 0.2, 15)
    for name, path in big_files(folder):
        found = _side_by_side(folder, path, small, python)
        rows += [_row(name, program, told, found) for program, told in found.items()]
    return rows


def _side_by_side(folder: Path, path: Path, small: Path, python: Path | None) -> dict[str, Told]:
    """The best of each program, in rounds, so that a busy machine is busy for all."""
    first = folder / "first.gcode"
    first.write_bytes(path.read_bytes()[:2_000_000])
    found = dict[str, Told]()
    for turn in range(ROUNDS):
        for program, (whose, _, _) in PROGRAMS.items():
            if (whose not in ("labkit", "") and python is None) or (turn and program not in QUICK):
                continue
            given = first if program == "pygcode" else path
            told = _measured(program, given, small, python)
            if best := found.get(program):
                told["peak_mib"] = max(told["peak_mib"], best["peak_mib"])
                for column in ("seconds", "processor_s"):
                    told[column] = min(told[column], best[column])
            told["mb"] = given.stat().st_size / 1e6
            told["mb_s"] = told["mb"] / told["seconds"]
            told["times"] = told["peak_mib"] * 1.048576 / told["mb"]
            found[program] = told
    return found


def _row(name: str, program: str, told: Told, found: dict[str, Told]) -> Row:
    return {
        "file": name,
        "program": program,
        "does": PROGRAMS[program][1],
        "MB": f"{told['mb']:.1f}",
        "moves": f"{told['moves']:.0f}",
        "seconds": f"{told['seconds']:.2f}",
        "processor_s": f"{told['processor_s']:.2f}",
        "MB_s": f"{told['mb_s']:.1f}",
        "MB_processor_s": f"{told['mb'] / told['processor_s']:.1f}",
        "labkit_times_faster": f"{found['labkit']['mb_s'] / told['mb_s']:.1f}",
        "memory_times_file": f"{told['times']:.1f}",
        "limits": "; ".join(verdicts(found)) if program == "labkit" else "",
    }


def verdicts(found: dict[str, Told]) -> list[str]:
    """Whether each limit is met on one file, by what was told of each program."""
    ours = found["labkit"]
    others = {name: told for name, told in found.items() if not name.startswith("labkit")}
    fastest = max(others, key=lambda other: others[other]["mb_s"])
    ratio = ours["mb_s"] / others[fastest]["mb_s"]
    limits = [(f"{ratio:.1f} × {fastest}, the fastest other", ratio >= FASTER_THAN_ANY)]
    if "gcodeparser" in found:
        slow = ours["mb_s"] / found["gcodeparser"]["mb_s"]
        limits.append((f"{slow:.0f} × gcodeparser", slow >= FASTER_THAN_GCODEPARSER))
    memory = ours["times"]
    limits.append((f"memory {memory:.1f} × the file", memory <= MEMORY_TIMES))
    return [f"{words}: {'met' if met else 'NOT MET'}" for words, met in limits]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alone", action="store_true", help="without programs from PyPI")
    parser.add_argument("--keep", type=Path, help="where the files are kept for another run")
    asked = parser.parse_args()
    python = None
    if not asked.alone:
        try:
            python = environment("gcode-readers", PEERS)
        except ToolMissingError as error:
            parser.exit(error.exit_code, f"{error}\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = speed_rows(folder, python)
    write_table("gcode", rows, lambda column: column != "limits")
    for row in rows:
        if row["limits"]:
            print(f"{row['file']}: {row['limits']}")


if __name__ == "__main__":
    main()
