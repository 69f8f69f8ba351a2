"""Parts, honest ways of writing the same G-code, and ways of tampering with it (for table B7).

Every strength is drawn from a generator that the caller seeds.
"""

import functools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import manifold3d
import numpy as np
import trimesh

from labkit import equipment
from labkit.errors import ToolError
from labkit.processes import find_program, run
from labkit.slicing.layering import Layers, layers_of
from labkit.slicing.settings import as_ini, settings
from labkit.slicing.slicer import Sliced, find_slicer, slice_part
from labkit.slicing.toolpath import Toolpath, read_toolpath
from labkit.surface import mesh_of, write_stl

Solid = manifold3d.Manifold
Random = np.random.Generator

_WORD = re.compile(r"([A-Z])(-?[\d.]+)")


# ---------------------------------------------------------------- parts


def box(bore_mm: float = 3.0, cavity_mm: float = 0.0) -> Solid:
    """A box of 24 × 18 × 12 mm with an upright bore, a pocket and, if asked, a cavity."""
    body = Solid.cube([24, 18, 12]) - Solid.cylinder(20, bore_mm, bore_mm, 64).translate([8, 9, -1])
    body -= Solid.cube([6, 5, 6]).translate([15, 6, 8])
    return body - Solid.sphere(cavity_mm, 48).translate([18, 9, 4]) if cavity_mm else body


def ball(bump_mm: float = 0.0, cavity_mm: float = 0.0) -> Solid:
    """A ball of 24 mm, cut flat below; a bump is a shallow swelling on its side."""
    body = Solid.sphere(12, 96).translate([0, 0, 10])
    body = _swollen(body, np.array([12.0, 0, 10]), 5, bump_mm).trim_by_plane([0, 0, 1], 0)
    return body - Solid.sphere(cavity_mm, 48).translate([2, 1, 9]) if cavity_mm else body


def bone(bump_mm: float = 0.0, cavity_mm: float = 0.0) -> Solid:
    """A bent shaft with a canal and two thick ends, 48 mm high."""
    top = Solid.batch_hull(
        [Solid.sphere(8, 48).translate([-5, 0, 40]), Solid.sphere(7, 48).translate([6, 2, 41])]
    )
    end = Solid.batch_hull(
        [Solid.sphere(8, 48).translate([-4, 1, 4]), Solid.sphere(7, 48).translate([5, -1, 4])]
    )
    body = (Solid.cylinder(40, 6, 5, 64) + top + end).trim_by_plane([0, 0, 1], 0)
    body -= Solid.cylinder(30, 2.5, 2.5, 48).translate([0, 0, 6])
    if cavity_mm:
        body -= Solid.sphere(cavity_mm, 48).translate([-3, 0, 41])
    body = body.refine_to_length(1.5).warp(lambda p: (p[0] + 3 * np.sin(p[2] / 15), p[1], p[2]))
    return _swollen(body, np.array([7.0, 0, 20]), 5, bump_mm)


def guide(bore_mm: float = 1.5, cavity_mm: float = 0.0) -> Solid:
    """A cap of 3 mm thickness with a bored boss: a guide, in the rough."""
    cap = (Solid.sphere(25, 96) - Solid.sphere(22, 96)).trim_by_plane([0, 0, 1], 10)
    body = cap + Solid.cylinder(14, 5, 5, 48).translate([0, 0, 20])
    body -= Solid.cylinder(40, bore_mm, bore_mm, 48).translate([0, 0, 5])
    return body - Solid.sphere(cavity_mm, 48).translate([0, 3.2, 29]) if cavity_mm else body


PARTS: Mapping[str, Callable[..., Solid]] = {"box": box, "ball": ball, "bone": bone, "guide": guide}
SUPPORTED = frozenset(("guide",))


def _swollen(body: Solid, at: np.ndarray, radius_mm: float, bump_mm: float) -> Solid:
    if not bump_mm:
        return body

    def moved(point: tuple[float, float, float]) -> tuple[float, float, float]:
        away = np.array(point) - at
        near = max(0.0, 1 - (away @ away) / radius_mm**2)
        outward = np.array(point) * [1, 1, 0]
        x, y, z = point + near**2 * bump_mm * outward / max(float(np.hypot(*outward[:2])), 1e-6)
        return float(x), float(y), float(z)

    return body.refine_to_length(1.0).warp(moved)


# ---------------------------------------------------------------- slicing


@dataclass(frozen=True)
class Base:
    """A part and its G-code as the lab signed it."""

    name: str
    mesh: trimesh.Trimesh
    gcode: Path
    shift_mm: tuple[float, float, float]
    infill_percent: int


def signed(name: str, folder: Path, *, infill_percent: int = 15, **changed: float) -> Base:
    """The part sliced by the kit; ``changed`` dimensions make it the part of an attacker."""
    label = "-".join([name, *(f"{key}{value:.3f}" for key, value in changed.items())])
    mesh = mesh_of(PARTS[name](**changed))
    stl, gcode = folder / f"{label}.stl", folder / f"{label}.gcode"
    write_stl(mesh, stl)
    sliced: Sliced = slice_part(
        stl,
        gcode,
        printer=equipment.printer("practice"),
        material=equipment.material("PLA"),
        layer_height_mm=0.2,
        infill_percent=infill_percent,
        supports=name in SUPPORTED,
    )
    return Base(name, mesh, gcode, sliced.shift_mm, infill_percent)


def resliced(base: Base, gcode: Path, *, arachne: bool, processors: int) -> Path:
    """The same part by PrusaSlicer with other walls or on other processors, not frozen.

    Raises
    ------
    ToolError
        It failed.
    """
    values = settings(
        equipment.printer("practice"),
        equipment.material("PLA"),
        layer_height_mm=0.2,
        infill_percent=base.infill_percent,
        supports=base.name in SUPPORTED,
    )
    if arachne:
        values |= {"perimeter_generator": "arachne"}
    middle = [float(v) for v in base.mesh.bounds.mean(axis=0) + base.shift_mm]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_stl(base.mesh, folder / "part.stl")
        (folder / "settings.ini").write_text(as_ini(values), encoding="utf-8")
        pinned = find_program("taskset")
        cores = sorted(os.sched_getaffinity(0))[:processors] if pinned else []
        done = run(
            [
                *([str(pinned), "-c", ",".join(map(str, cores))] if pinned else []),
                *find_slicer().command,
                *("--export-gcode", "--load", "settings.ini", "--dont-arrange"),
                *("--center", f"{middle[0]:g},{middle[1]:g}", "--output", "out.gcode", "part.stl"),
            ],
            folder=folder,
            timeout_s=300,
        )
        if done.exit_code or not (folder / "out.gcode").is_file():
            raise ToolError(
                f"PrusaSlicer ended with {done.exit_code}",
                expected="a G-code file",
                where="benchmark",
                fix="slice the part by hand",
            )
        shutil.copyfile(folder / "out.gcode", gcode)
    return gcode


# ---------------------------------------------------------------- text


class Text:
    """The lines of a file beside its tool path; lines are changed in place."""

    def __init__(self, gcode: Path) -> None:
        self.lines = gcode.read_text(encoding="utf-8").splitlines()
        self.path: Toolpath = read_toolpath(gcode)
        self.layers: Layers = layers_of(self.path, self.path.on_part)
        self.kinds = np.array(self.path.features)[self.path.feature]
        self.sideways = self.path.sideways
        self.distance_mm = self.path.distance_mm

    def write(self, target: Path) -> Path:
        target.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        return target

    def window(self, rng: Random, least: int = 4, low: float = 0.1, high: float = 0.9) -> range:
        """Some layers that follow each other, between these shares of the height."""
        count = len(self.layers)
        first, last = int(low * count), max(int(high * count), int(low * count) + least)
        size = int(rng.integers(least, max(least + 1, (last - first) // 2)))
        start = int(rng.integers(first, max(first + 1, last - size)))
        return range(start, min(start + size, count))

    def moves(self, layers: range, *kinds: str) -> np.ndarray:
        """The moves that lay down the part in these layers, of these features (all if none)."""
        at = self.layers.of_move
        chosen = (at >= layers.start) & (at < layers.stop)
        if kinds:
            chosen &= np.isin(self.kinds, kinds)
        return np.flatnonzero(chosen)

    def change(self, move: int, **words: float | None) -> None:
        """Other numbers in the line of a move; None takes a word out."""
        number = int(self.path.line[move]) - 1
        self.lines[number] = _changed(self.lines[number], words)

    def insert_at(self, layer: int, *new: str) -> None:
        """New lines before the first of a layer's moves."""
        at = int(self.layers.first_line[layer]) - 1
        self.lines[at] = "\n".join([*new, self.lines[at]])

    def replace(self, move: int, *new: str) -> None:
        self.lines[int(self.path.line[move]) - 1] = "\n".join(new)


def _changed(line: str, words: Mapping[str, float | None]) -> str:
    body, semicolon, comment = line.partition(";")
    name, *old = body.split()
    found = {word[0]: word[1:] for word in old}
    for key, value in words.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _number(value)
    return " ".join([name, *(key + value for key, value in found.items())]) + semicolon + comment


def _number(value: float, digits: int = 5) -> str:
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


# ---------------------------------------------------------------- tampering


Tampered = tuple[str, Path]
Method = Callable[[Base, Random, Path], Tampered]

INFILL = ("Internal infill",)
SOLID = ("Solid infill", "Top solid infill", "Bridge infill")
INNER = ("Perimeter", "Gap fill")
OUTER = ("External perimeter", "Overhang perimeter")


def void(base: Base, rng: Random, target: Path) -> Tampered:
    """Lines inside a ball are travelled, not printed; or the part is sliced with a cavity."""
    if rng.random() < 0.4:
        size = float(rng.uniform(1.2, 1.6 if base.name == "guide" else 3.0))
        changed = signed(
            base.name, target.parent, infill_percent=base.infill_percent, cavity_mm=size
        )
        shutil.copyfile(changed.gcode, target)
        return f"cavity of {2 * size:.1f} mm with walls", target
    text = Text(base.gcode)
    window = text.window(rng)
    rows = text.moves(window, *INFILL, *SOLID)
    rows = rows if len(rows) else text.moves(range(len(text.layers)), *INFILL, *SOLID)
    centre_move = int(rng.choice(rows))
    centre = text.path.end[centre_move]
    radius = float(rng.uniform(2.0, 4.0))
    for move in np.flatnonzero(
        (text.layers.of_move >= 0) & np.isin(text.kinds, INFILL + SOLID + INNER)
    ):
        z = text.path.end[move, 2]
        half = radius**2 - (z - centre[2]) ** 2
        if half > 0:
            _cut_out(text, int(move), centre[:2], np.sqrt(half))
    return f"hollow ball of {2 * radius:.1f} mm", text.write(target)


def _cut_out(text: Text, move: int, centre: np.ndarray, radius: float) -> None:
    """What of a move lies in a circle becomes travel."""
    a, b = text.path.start[move, :2], text.path.end[move, :2]
    way, offset = b - a, a - centre
    p, q, r = way @ way, 2 * offset @ way, offset @ offset - radius**2
    root = q * q - 4 * p * r
    if root <= 0:
        return
    first, last = sorted(((-q - np.sqrt(root)) / (2 * p), (-q + np.sqrt(root)) / (2 * p)))
    first, last = max(first, 0.0), min(last, 1.0)
    if first >= last:
        return
    pieces = []
    for until, push in ((first, True), (last, False), (1.0, True)):
        begin = 0.0 if until == first and push else (first if not push else last)
        if until - begin > 1e-6:
            x, y = a + until * way
            extruded = text.path.extruded_mm[move] * (until - begin)
            pieces.append(f"G1 X{x:.3f} Y{y:.3f}" + (f" E{extruded:.5f}" if push else ""))
    text.replace(move, *pieces)


def shift(base: Base, rng: Random, target: Path) -> Tampered:
    """Some layers, or all from one on, lie beside their place."""
    text = Text(base.gcode)
    window = text.window(rng, 1)
    if rng.random() < 0.5:
        window = range(window.start, len(text.layers))
    angle, size = rng.uniform(0, 2 * np.pi), float(rng.uniform(0.15, 1.0))
    by = size * np.array([np.cos(angle), np.sin(angle)])
    begin, end = _lines_of(text, window)
    for move in np.flatnonzero((text.path.line >= begin) & (text.path.line < end)):
        x, y = text.path.end[move, :2] + by
        if text.sideways[move]:
            text.change(int(move), X=round(x, 3), Y=round(y, 3))
    return f"{len(window)} layers by {size:.2f} mm", text.write(target)


def _lines_of(text: Text, window: range) -> tuple[int, int]:
    marks = [n.line for n in text.path.notes if n.text == "LAYER_CHANGE"]
    marks.append(max(int(text.path.line[text.layers.of_move >= 0].max()) + 1, marks[-1] + 1))
    # supports may have layers of their own: count by the height of the part's layers
    tops = text.layers.z_mm
    begin = max((m for m in marks if m < text.layers.first_line[window.start]), default=1)
    if window.stop >= len(tops):
        return begin, marks[-1]
    return begin, max((m for m in marks if m < text.layers.first_line[window.stop]), default=1)


def scale(base: Base, rng: Random, target: Path) -> Tampered:
    """The whole print stretched or shrunk, in x and y or in one of them."""
    text = Text(base.gcode)
    factor = 1 + float(rng.choice([-1, 1])) * float(rng.uniform(0.008, 0.03))
    axes = [(0, 1), (0,), (1,)][int(rng.integers(3))]
    printing = text.layers.of_move >= 0
    ends = text.path.end[printing]
    middle = (ends.min(axis=0) + ends.max(axis=0)) / 2
    begin, end = _lines_of(text, range(len(text.layers)))
    for move in np.flatnonzero((text.path.line >= begin) & (text.path.line < end)):
        if text.sideways[move]:
            new = text.path.end[move].copy()
            for axis in axes:
                new[axis] = middle[axis] + factor * (new[axis] - middle[axis])
            text.change(int(move), X=round(new[0], 3), Y=round(new[1], 3))
    return f"by {100 * (factor - 1):+.1f} % in {''.join('xy'[a] for a in axes)}", text.write(target)


def infill(base: Base, rng: Random, target: Path) -> Tampered:
    """Infill left out in some layers, or in all."""
    text = Text(base.gcode)
    window = text.window(rng)
    while not len(text.moves(window, *INFILL)):
        window = text.window(rng)
    if rng.random() < 0.3:
        window = range(len(text.layers))
    for move in text.moves(window, *INFILL):
        text.change(int(move), E=None)
    return f"{len(window)} layers without infill", text.write(target)


def temperature(base: Base, rng: Random, target: Path) -> Tampered:
    """Hotter or colder within the material's window: all of it, from a layer on, or for some."""
    text = Text(base.gcode)
    by = float(rng.choice([-1, 1])) * float(rng.integers(8, 19))
    usual = 210.0
    way = int(rng.integers(3))
    if way == 0:
        text.lines = [
            re.sub(r"^(M10[49]) S(\d+)(.*)$", lambda m: f"{m[1]} S{float(m[2]) + by:g}{m[3]}", line)
            if not line.startswith("M104 S0")
            else line
            for line in text.lines
        ]
        return f"{by:+g} °C in all layers", text.write(target)
    window = text.window(rng)
    text.insert_at(window.start, f"M104 S{usual + by:g}")
    if way == 1:
        text.insert_at(window.stop, f"M104 S{usual:g}")
    return f"{by:+g} °C from layer {window.start}" + (" for some" if way == 1 else ""), text.write(
        target
    )


def starving(base: Base, rng: Random, target: Path) -> Tampered:
    """Less plastic: everywhere, in some layers, in one feature, or by a flow factor."""
    text = Text(base.gcode)
    factor = float(rng.uniform(0.75, 0.94))
    way = int(rng.integers(4))
    window = range(len(text.layers)) if way in (0, 2) else text.window(rng)
    if way == 3:
        text.insert_at(window.start, f"M221 S{100 * factor:.0f}")
        return f"flow factor {100 * factor:.0f} %", text.write(target)
    kinds = [(*OUTER,), (*INNER,), (*SOLID,), (*INFILL,)][int(rng.integers(4))] if way == 2 else ()
    for move in text.moves(window, *kinds):
        text.change(int(move), E=round(text.path.extruded_mm[move] * factor, 5))
    what = f" of {kinds[0]}" if kinds else ""
    return f"{100 * factor:.0f} %{what} in {len(window)} layers", text.write(target)


def hidden(base: Base, rng: Random, target: Path) -> Tampered:
    """A line beside the part, a dive into printed layers, or plastic pushed out on one spot."""
    text = Text(base.gcode)
    window = text.window(rng)
    rows = text.moves(range(window.start, window.start + 1))
    move = int(rng.choice(rows))
    x, y, z = text.path.end[move]
    way = int(rng.integers(4))
    line = text.lines[int(text.path.line[move]) - 1]
    if way == 0:
        length = float(rng.uniform(2, 8))
        low = text.path.end[text.layers.of_move >= 0].min(axis=0)
        extra = [
            f"G1 X{low[0] - 1:.3f} Y{y:.3f} F9000",
            f"G1 X{low[0] - 1 - length:.3f} Y{y:.3f} E{0.033 * length:.5f} F1800",
            f"G1 X{x:.3f} Y{y:.3f} F9000",
        ]
        what = f"{length:.1f} mm of line beside the part"
    elif way == 1:
        deep = float(rng.uniform(0.1, min(0.8, z - 0.1)))
        extra = [
            f"G1 Z{z - deep:.3f} F720",
            f"G1 X{x + 1:.3f} F3000",
            f"G1 X{x:.3f}",
            f"G1 Z{z:.3f} F720",
        ]
        what = f"a dive of {deep:.2f} mm"
    elif way == 2:
        push = float(rng.uniform(1, 6))
        extra = [f"G1 E{push:.3f} F300"]
        what = f"{push:.1f} mm of filament on one spot"
    else:
        inside = base.mesh.bounds + base.shift_mm
        other = rng.uniform(inside[0, :2], inside[1, :2])
        length = float(np.hypot(*(other - [x, y])))
        extra = [
            f"G1 X{other[0]:.3f} Y{other[1]:.3f} E{0.033 * length:.5f} F1800",
            f"G1 X{x:.3f} Y{y:.3f} F9000",
        ]
        what = f"{length:.1f} mm of line across the part"
    feed = text.path.feed_mm_min[move]
    text.lines[int(text.path.line[move]) - 1] = "\n".join([line, *extra, f"G1 F{feed:g}"])
    return what, text.write(target)


DANGEROUS = (
    "M500", "M502", "M92 E800", "M302 P1", "M211 S0", "M30 part.gcode", "M28 x.gcode", "M997",
    "M303 E0 S250 C8", "M206 Z-1", "M851 Z-2", "G92 Z5", "M104 S290", "M140 S130", "M112",
    "M42 P4 S255", "M118 //action:pause", "@pause", "SAVE_CONFIG", "M0502", "G53 X0", "M81",
    "M906 X1500", "M999",
)  # fmt: skip


def dangerous(base: Base, rng: Random, target: Path) -> Tampered:
    """A command that has no place in a print."""
    text = Text(base.gcode)
    command = str(rng.choice(DANGEROUS))
    text.insert_at(text.window(rng).start, command)
    return command, text.write(target)


def swapped(base: Base, rng: Random, target: Path) -> Tampered:
    """Two layers change places: their lines only, or with their heights."""
    text = Text(base.gcode)
    while True:
        one, other = sorted(int(n) for n in rng.integers(1, len(text.layers) - 1, 2))
        spans = [_lines_of(text, range(n, n + 1)) for n in (one, other)]
        blocks = [text.lines[begin - 1 : end - 1] for begin, end in spans]
        if spans[0][1] <= spans[1][0] and _unlike(*blocks):
            break
    keep_heights = rng.random() < 0.7
    if keep_heights:
        tops = [_heights(block) for block in blocks]
        blocks = [_with_heights(blocks[0], *tops), _with_heights(blocks[1], *tops[::-1])]
    (a, b), (c, d) = spans
    text.lines = [
        *text.lines[: a - 1], *blocks[1], *text.lines[b - 1 : c - 1],
        *blocks[0], *text.lines[d - 1 :],
    ]  # fmt: skip
    how = "lines only" if keep_heights else "with their heights"
    return f"layers {one} and {other}, {how}", text.write(target)


def _unlike(one: list[str], other: list[str]) -> bool:
    """Whether two layers are different at all: in a prism some are the same."""
    places = [
        {(round(float(m[1]), 1), round(float(m[2]), 1)) for line in block
         if (m := re.match(r"G1 X([\d.]+) Y([\d.]+)", line))}
        for block in (one, other)
    ]  # fmt: skip
    return len(places[0] ^ places[1]) > 0.2 * len(places[0] | places[1])


def _heights(block: list[str]) -> str:
    return next((m[1] for line in block if (m := re.match(r"G1 Z([\d.]+)", line))), "0")


def _with_heights(block: list[str], old: str, new: str) -> list[str]:
    return [re.sub(rf"^G1 Z{re.escape(old)}\b", f"G1 Z{new}", line) for line in block]


def fan(base: Base, rng: Random, target: Path) -> Tampered:
    """The fan off from a layer on, for some layers, never on, or slower."""
    text = Text(base.gcode)
    way = int(rng.integers(4))
    window = text.window(rng)
    if way == 0:
        text.insert_at(window.start, "M107")
    elif way == 1:
        text.insert_at(window.start, "M106 S0")
        text.insert_at(window.stop, "M106 S255")
    else:
        speed = 0 if way == 2 else int(rng.integers(60, 150))
        text.lines = [re.sub(r"^M106 S\d+.*", f"M106 S{speed}", line) for line in text.lines]
    said = (f"off from layer {window.start}", f"off in {len(window)} layers", "never on", "slower")
    return said[way], text.write(target)


def seam(base: Base, rng: Random, target: Path) -> Tampered:
    """The last millimetre of each outer loop is left out or starved, in some layers."""
    text = Text(base.gcode)
    window = text.window(rng)
    length, leave = float(rng.uniform(0.4, 1.8)), float(rng.choice([0.0, 0.5]))
    rows = text.moves(window, *OUTER)
    ends = [*rows[np.flatnonzero(np.diff(rows) > 1)], rows[-1]]
    for end in ends:
        move, left = int(end), length
        while left > 0 and move in rows:
            size = float(text.distance_mm[move])
            take = min(1.0, left / size)
            pushed = text.path.extruded_mm[move]
            stop = text.path.start[move, :2] + (1 - take) * (
                text.path.end[move, :2] - text.path.start[move, :2]
            )
            x, y = text.path.end[move, :2]
            pieces = (
                [f"G1 X{stop[0]:.3f} Y{stop[1]:.3f} E{pushed * (1 - take):.5f}"] if take < 1 else []
            )
            rest = f" E{pushed * take * leave:.5f}" if leave else ""
            text.replace(move, *pieces, f"G1 X{x:.3f} Y{y:.3f}{rest}")
            left -= size
            move -= 1
    how = "left out" if not leave else "with half the plastic"
    return f"{length:.1f} mm {how} in {len(window)} layers", text.write(target)


def dimension(base: Base, rng: Random, target: Path) -> Tampered:
    """One feature larger or smaller: the part is changed and sliced again."""
    by = float(rng.choice([-1, 1])) * float(rng.uniform(0.1, 0.4))
    if base.name in ("box", "guide"):
        usual = {"box": 3.0, "guide": 1.5}[base.name]
        changed = signed(
            base.name, target.parent, infill_percent=base.infill_percent, bore_mm=usual + by
        )
        what = f"bore of {2 * usual:g} mm by {2 * by:+.2f} mm"
    else:
        by *= 1.5
        changed = signed(base.name, target.parent, infill_percent=base.infill_percent, bump_mm=by)
        what = f"bump of {by:+.2f} mm"
    shutil.copyfile(changed.gcode, target)
    return what, target


METHODS: Mapping[str, Method] = {
    "void inserted": void,
    "layers shifted": shift,
    "scaled": scale,
    "infill removed": infill,
    "temperature": temperature,
    "under-extrusion": starving,
    "hidden move": hidden,
    "dangerous command": dangerous,
    "layers swapped": swapped,
    "fan": fan,
    "seam weakened": seam,
    "dimension": dimension,
}


# ---------------------------------------------------------------- honest


Encoding = Callable[[list[str], Random], list[str]]


def without_comments(lines: list[str], rng: Random) -> list[str]:
    """Only commands are left."""
    return [body for line in lines if (body := line.partition(";")[0].rstrip())]


def absolute_e(lines: list[str], rng: Random) -> list[str]:
    """M82 instead of M83."""
    level, out = 0.0, []
    for line in lines:
        body = line.partition(";")[0].strip()
        if body == "M83":
            out += ["M82", "G92 E0"]
            level = 0.0
        elif body.startswith("G92 E"):
            level = float(body[5:])
            out.append(line)
        elif body.startswith("G1") and (word := re.search(r"E(-?[\d.]+)", body)):
            level += float(word[1])
            out.append(re.sub(r"E-?[\d.]+", "E" + _number(level), line, count=1))
        else:
            out.append(line)
    return out


def padded_numbers(lines: list[str], rng: Random) -> list[str]:
    """X1.000 instead of X1, and two blanks between the words."""

    def padded(match: re.Match[str]) -> str:
        return f" {match[1]}{float(match[2]):.{5 if match[1] == 'E' else 3}f}"

    return [
        re.sub(r" ([XYZE])(-?[\d.]+)", padded, line).replace(" ", "  ")
        if line.startswith("G1")
        else line
        for line in lines
    ]


def rounded(lines: list[str], rng: Random) -> list[str]:
    """Three digits, of E too."""

    def short(match: re.Match[str]) -> str:
        return match[1] + _number(float(match[2]), 3)

    return [
        re.sub(r"([XYZE])(-?[\d.]+)", short, line) if line.startswith("G1") else line
        for line in lines
    ]


def speeds_repeated(lines: list[str], rng: Random) -> list[str]:
    """Each move states its speed."""
    speed, out = "", []
    for line in lines:
        if line.startswith("G1"):
            if found := re.search(r" F([\d.]+)", line):
                speed = found[1]
            elif speed:
                body, semicolon, comment = line.partition(";")
                out.append(f"{body.rstrip()} F{speed} {semicolon}{comment}".rstrip())
                continue
        out.append(line)
    return out


def progress_added(lines: list[str], rng: Random) -> list[str]:
    """M73 here and there, and empty lines."""
    out = []
    for number, line in enumerate(lines):
        if number > 50 and rng.random() < 0.01:
            out += [f"M73 P{int(100 * number / len(lines))} R{int(rng.integers(90))}", ""]
        out.append(line)
    return out


def windows(lines: list[str], rng: Random) -> list[str]:
    """The line ends of Windows."""
    return [line + "\r" for line in lines]


def split_moves(lines: list[str], rng: Random) -> list[str]:
    """G0 for travel, and blanks at the ends of lines."""
    return [
        "G0" + line[2:] + " "
        if line.startswith("G1 X") and " E" not in line and ";" not in line
        else line
        for line in lines
    ]


ENCODINGS: Mapping[str, Encoding] = {
    "without comments": without_comments,
    "absolute E": absolute_e,
    "padded numbers": padded_numbers,
    "three digits": rounded,
    "speeds repeated": speeds_repeated,
    "M73 added": progress_added,
    "line ends of Windows": windows,
    "G0 for travel": split_moves,
}


def encoded(base: Base, name: str, rng: Random, target: Path) -> Path:
    """The signed file written in another way."""
    lines = base.gcode.read_text(encoding="utf-8").splitlines()
    target.write_bytes(("\n".join(ENCODINGS[name](lines, rng)) + "\n").encode())
    return target


@functools.cache
def profiles() -> tuple[equipment.PrinterProfile, equipment.MaterialProfile]:
    """Printer and material of all cases."""
    return equipment.printer("practice"), equipment.material("PLA")
