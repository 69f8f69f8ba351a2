"""The compiled reader against the line-by-line one, which says what a line means."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import compiled
from labkit.errors import SlicingError
from labkit.slicing import reader, toolpath
from labkit.slicing.reader import bits_of
from labkit.slicing.steps import Command, Fault, Move, Note, steps
from labkit.slicing.toolpath import Toolpath, read_toolpath

from .conftest import SlicedPart

LAYER = re.compile(r"LAYER_CHANGE|CHANGE_LAYER|LAYER:.*", re.DOTALL)
FEATURE = re.compile(r"(?:TYPE|FEATURE):(.*)", re.DOTALL)
SIZE = re.compile(
    r"(WIDTH|LINE_WIDTH|HEIGHT|LAYER_HEIGHT): *(?=[0-9.]{1,11}$)([0-9]+\.?[0-9]*|\.[0-9]+)"
)


def _by_steps(path: Path) -> dict[str, Any]:
    """All fields of a `Toolpath`, from the steps alone."""
    moves: list[tuple[Move, int, str, float, float]] = []
    others: dict[type, list[Any]] = {Command: [], Note: [], Fault: []}
    layers: list[list[float]] = []
    names, feature, width, height = [""], "", 0.0, 0.0
    for step in steps(path):
        if type(step) is Move:
            moves.append((step, len(layers) - 1, feature, width, height))
            continue
        others[type(step)].append(step)
        if type(step) is not Note:
            continue
        if LAYER.fullmatch(step.text):
            layers.append([step.offset, 0.0])
        elif said := FEATURE.fullmatch(step.text):
            feature = said[1].strip()
            names += [feature] if feature not in names else []
        elif (said := SIZE.fullmatch(step.text)) and float(said[2]) < 1000:
            if "WIDTH" in said[1]:
                width = float(said[2])
            else:
                height = float(said[2])
                if layers and not layers[-1][1]:
                    layers[-1][1] = height
    content = path.read_bytes()
    return {
        "line": [move.line for move, *_ in moves],
        "offset": [move.offset for move, *_ in moves],
        "start": [list(move.start) for move, *_ in moves],
        "end": [list(move.end) for move, *_ in moves],
        "extruded_mm": [move.extruded_mm for move, *_ in moves],
        "feed_mm_min": [move.feed_mm_min for move, *_ in moves],
        "layer": [layer for _, layer, *_ in moves],
        "feature": [names.index(name) for _, _, name, *_ in moves],
        "width_mm": [float(np.float32(width)) for *_, width, _ in moves],
        "height_mm": [float(np.float32(height)) for *_, height in moves],
        "words": [bits_of(move.text) for move, *_ in moves],
        "layer_offset": [offset for offset, _ in layers],
        "layer_height_mm": [float(np.float32(height)) for _, height in layers],
        "features": names,
        "commands": others[Command],
        "notes": others[Note],
        "faults": others[Fault],
        "lines": content.count(b"\n") + (not content.endswith(b"\n") and bool(content)),
    }


def _plain(read: Toolpath) -> dict[str, Any]:
    return {
        name: value.tolist()
        if isinstance(value := getattr(read, name), np.ndarray)
        else value
        if isinstance(value, int)
        else list(value)
        for name in Toolpath.__dataclass_fields__
    }


def _same_both_ways(path: Path) -> Toolpath:
    read = read_toolpath(path)
    assert repr(_plain(read)) == repr(_by_steps(path))  # repr tells −0.0 from 0.0
    return read


PIECES = st.sampled_from(
    [
        *(
            "G1",
            "G0",
            "G01",
            "G2",
            "G3",
            "G4",
            "G10",
            "G20",
            "G21",
            "G28",
            "G90",
            "G91",
            "G92",
            "g1",
        ),
        *("M82", "M83", "M104 S200", "M204 S800", "M118", "T0", "@x", "N1"),
        *(" X", " Y", " Z", " E", " F", " I", " J", "X", " S", "  ", " ", "\t", "\r", "\n", "\r\n"),
        *("1", "-2.5", ".5", "5.", "-.25", "0", "-0", "+3", "12345678901234567", "1e3", "."),
        *(";", "; ", ";TYPE:", ";TYPE:Skirt", "; FEATURE: Outer wall", ";LAYER_CHANGE", ";LAYER:1"),
        *(";WIDTH:.45", ";HEIGHT:0.2", ";HEIGHT:99999", ";WIDTH:x", "; LINE_WIDTH: 0.4", ";LAYER"),
        *("é", "\xa0", "\x85", "\x1c", "{", "M8", "G", "M", "G92 E0", "G92 E0\n", "(c)"),
    ]
)
NUMBERS = st.floats(-300, 300).map(lambda value: f"{value:.{abs(hash(value)) % 17}f}")
MOVES = st.lists(
    st.tuples(st.sampled_from("XYZEF"), NUMBERS), min_size=1, max_size=5, unique_by=lambda w: w[0]
).map(lambda words: "G1 " + " ".join(letter + number for letter, number in words) + "\n")
TEXTS = st.lists(PIECES | MOVES, max_size=60).map("".join)


@settings(deadline=None)  # the first one compiles
@given(content=TEXTS.map(lambda text: text.encode("utf-8")) | st.binary(max_size=200))
def test_both_readers_find_the_same_in_any_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "both.gcode"
    path.write_bytes(content)
    _same_both_ways(path)


def test_both_readers_find_the_same_in_a_sliced_part(
    sliced_box: SlicedPart, tmp_path: Path
) -> None:
    read = _same_both_ways(sliced_box.gcode)
    assert len(read.layer_offset) == 100
    assert read.layer_height_mm == pytest.approx(0.2, abs=1e-5)
    windows = tmp_path / "windows.gcode"
    windows.write_bytes(sliced_box.gcode.read_bytes().replace(b"\n", b" ; said\r\n"))
    assert np.array_equal(_same_both_ways(windows).end, read.end)


def test_both_readers_find_the_same_in_files_of_other_slicers(real_data: Path) -> None:
    for path in sorted(real_data.glob("gcode_*/**/*.gcode")):
        _same_both_ways(path)


def test_the_kernel_takes_what_slicers_write(
    sliced_box: SlicedPart, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = list[str]()
    read_line = reader.Reader.read_line

    def counted(own: Any) -> None:
        slow.append("")
        read_line(own)

    monkeypatch.setattr(reader.Reader, "read_line", counted)
    read = read_toolpath(sliced_box.gcode)
    assert read.lines > 5000 and len(slow) < 30


def test_numbers_are_what_python_makes_of_them(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    texts = [
        f"{value:.{digits}f}"
        for value, digits in zip(
            random.uniform(-1000, 1000, 5000), random.integers(0, 13, 5000), strict=True
        )
    ]
    (tmp_path / "a.gcode").write_text("".join(f"G1 X{text} F60\n" for text in texts))
    read = read_toolpath(tmp_path / "a.gcode")
    assert read.end[:, 0].tolist() == [float(text) for text in texts]


def test_what_commands_set_is_known_at_each_move(tmp_path: Path) -> None:
    (tmp_path / "a.gcode").write_text("G1 X1\nM106 S255\nG1 X2\nG1 X3\nM107\nM105\nG1 X4\n")
    read = read_toolpath(tmp_path / "a.gcode")
    assert read.commands_before.tolist() == [0, 1, 1, 3]
    fan = read.set_by(
        lambda command: (
            (command.words or {}).get("S")
            if command.name == "M106"
            else 0.0
            if command.name == "M107"
            else None
        )
    )
    assert fan.tolist() == [0, 255, 255, 0]


def test_very_many_features_are_bounded(tmp_path: Path) -> None:
    names = "".join(f";TYPE:{number}\nG1 X{number}\n" for number in range(2000))
    (tmp_path / "a.gcode").write_text(names)
    read = read_toolpath(tmp_path / "a.gcode")
    assert len(read.features) == reader.MOST_FEATURES
    assert read.feature.max() == reader.MOST_FEATURES - 1
    assert [read.features[number] for number in read.feature[:100]] == [*map(str, range(100))]


def test_notes_are_a_sequence(tmp_path: Path) -> None:
    (tmp_path / "a.gcode").write_text(";one\nG1 X1\n; zwölf\n;time 3\n", encoding="utf-8")
    notes = read_toolpath(tmp_path / "a.gcode").notes
    assert [note.text for note in notes] == ["one", "zwölf", "time 3"]
    assert notes[-1] == Note(4, 20, "time 3") and notes[:2] == (notes[0], notes[1])
    assert isinstance(notes, toolpath.Notes)
    assert [note.line for note in notes.matching(rb"(?i)TIME|on")] == [1, 4]
    with pytest.raises(IndexError):
        notes[3]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SlicingError, match="no file"):
        read_toolpath(tmp_path / "none.gcode")
    (tmp_path / "a.gcode").write_bytes(b"GCDE\1\0")
    with pytest.raises(SlicingError, match="binary"):
        read_toolpath(tmp_path / "a.gcode")
    (tmp_path / "b.gcode").write_bytes(b"")
    assert len(read_toolpath(tmp_path / "b.gcode").line) == 0


def test_commands_start_without_the_compiler() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import labkit.cli, sys; print('numba' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "False"


def test_compiled_code_is_kept_where_the_environment_says(tmp_path: Path) -> None:
    """An installation that cannot be written: the folder that NUMBA_CACHE_DIR names is used."""
    code = "from labkit.slicing import kernel; import numpy as np\n"
    code += "print(kernel.counted(np.frombuffer(b';a\\nG1\\n', np.uint8)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
    )
    assert done.stdout.strip() == "(2, 1, 0)"
    assert list(tmp_path.rglob("kernel.counted*.nbi"))


def test_compiling_goes_on_where_nothing_can_be_kept() -> None:
    """Read-only code and no folder of the user's: numba finds no place, and says so by raising."""
    asked = list[dict[str, bool]]()

    def no_place(**words: bool) -> Callable[[Any], Any]:
        asked.append(words)
        if words.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "njit", no_place)
        assert compiled.compiled(lambda number: number * 2)(21) == 42
    assert [words.get("cache", False) for words in asked] == [True, False]
