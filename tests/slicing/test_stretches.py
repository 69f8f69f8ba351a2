"""A file read in stretches, side by side, against the same file read from its first line on."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.slicing import toolpath
from labkit.slicing.kernel import line_after
from labkit.slicing.reader import MOST_FEATURES, Reader, State
from labkit.slicing.stretches import SHORTEST, borders, read_stretches
from labkit.slicing.toolpath import Toolpath, read_toolpath

from .conftest import SlicedPart
from .test_toolpath import MOVES, TEXTS, _plain

LEADS = 20, 60, 180

MODES = st.sampled_from(
    [
        *("G90", "G91", "M82", "M83", "G20", "G21", "G28", "G28 X", "G92 E0", "G92 E0\r", "G92 X5"),
        *("G92 E3 ; said", "T0", "T1", "M104 S200", "M204 P800", "G4 S1", "G4 P500", "M117 layer"),
        *("G2 X3 Y4 I1 J1 E1", "G3 X1 J2", "G01 X4", "G0 X1 Y1 Z1 F3000", "G1 E-2 F1800"),
        *("", ";", "; said", ";TYPE:Skirt", ";TYPE:Perimeter", ";LAYER_CHANGE", ";LAYER:3"),
        *(
            ";HEIGHT:0.2",
            ";HEIGHT:0.3",
            ";WIDTH:0.45",
            ";WIDTH:x",
            "G1 X1 ; say\rsay",
            "é",
            "N1 G1 X2",
        ),
    ]
)
STATED = "G90\nG21\nG28\nG92 E0\nM82\nG1 X1 Y2 Z3 E4 F600\n;HEIGHT:0.2\n"
"""What a stretch before and the next one agree on after it."""
LINES = st.lists(MODES.map(lambda line: f"{line}\n") | MOVES | st.just(STATED), max_size=40)


def _read(
    patch: pytest.MonkeyPatch,
    path: Path,
    begins: list[int],
    leads: tuple[int, ...] = LEADS,
    head: int = 30,
) -> Toolpath:
    patch.setattr(toolpath, "borders", lambda data: begins)
    patch.setattr(toolpath, "read_stretches", partial(read_stretches, head=head, leads=leads))
    return read_toolpath(path)


def _same(one: Toolpath, other: Toolpath) -> None:
    assert repr(_plain(one)) == repr(_plain(other))  # repr tells −0.0 from 0.0


def _starts(content: bytes) -> list[int]:
    return [n for n in range(1, len(content)) if content[n - 1 : n] == b"\n"]


@settings(deadline=None)  # the first one compiles
@given(content=LINES.map("".join) | TEXTS, choice=st.data())
def test_stretches_may_begin_anywhere(
    tmp_path_factory: pytest.TempPathFactory, content: str, choice: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "stretches.gcode"
    path.write_bytes(raw := content.encode())
    starts = _starts(raw)
    some = choice.draw(st.lists(st.sampled_from(starts), max_size=3) if starts else st.just([]))
    with pytest.MonkeyPatch.context() as patch:
        _same(_read(patch, path, [0, *sorted(some)]), _read(patch, path, [0]))


@pytest.mark.parametrize(
    "state",
    [
        *("G91\n", "M83\n", "M82\n", "G20\n", "G92 E7\n", "G92 X5 Y-3\n", "G28 X\n", "T1\n"),
        *("G2 X9 Y9 I1 J1 E1\n", ";TYPE:Skirt\n", ";WIDTH:0.6\n", ";HEIGHT:0.35\n"),
        *(";LAYER_CHANGE\n", ";LAYER_CHANGE\n;HEIGHT:0.3\n", "; two words\n", "M220 S50\n"),
        *("G1 F1234\n", "G1 X3 ; a\rb\n", "G01 X3 Y3\n", "G1 S3\n", "\n", "G1 X-0\n"),
    ],
)
@pytest.mark.parametrize("after", ["G1 X1 Y1 E2\nG1 Y2 E3\n", STATED, f"M82\n{STATED}", ""])
def test_a_border_in_any_state(
    state: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "".join(f"G1 X{n} Y{n % 7}.5 E{n}.25\n" for n in range(1, 9))
    content = f"G90\nM82\nG1 Z1 F900\n{body}{state}{after}{body};WIDTH:0.4\n{body}".encode()
    (tmp_path / "a.gcode").write_bytes(content)
    serial = _read(monkeypatch, tmp_path / "a.gcode", [0])
    for begin in _starts(content):
        _same(_read(monkeypatch, tmp_path / "a.gcode", [0, begin]), serial)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each stretch that is taken over and not read anew."""
    found = list[str]()
    go_on = Reader.go_on

    def counted(own: Reader, other: Reader, since: State) -> None:
        found.append("")
        go_on(own, other, since)

    monkeypatch.setattr(Reader, "go_on", counted)
    return found


@pytest.mark.parametrize("written", ["as PrusaSlicer", "relative", "with line ends of Windows"])
def test_stretches_of_a_sliced_part_are_taken_over(
    sliced_box: SlicedPart,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    taken: list[str],
    written: str,
) -> None:
    content, path = sliced_box.gcode.read_bytes(), tmp_path / "a.gcode"
    if written == "relative":
        # once and for all: the modes are those of the head
        content = b"G91\n" + content.replace(b"G90", b"M400")
    elif written != "as PrusaSlicer":
        content = content.replace(b"\n", b"\r\n")
    path.write_bytes(content)
    data = np.frombuffer(content, np.uint8)
    begins = [0, *(line_after(data, len(data) * n // 16) for n in range(1, 16))]
    serial = _read(monkeypatch, path, [0])
    _same(_read(monkeypatch, path, begins, (1 << 10, 1 << 14), 1 << 12), serial)
    # the last stretch has the settings, and no move from which its place could be known; where
    # all places are relative each depends on all before
    assert len(taken) == (0 if written == "relative" else 14)


def test_stretches_with_more_names_than_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    names = [*range(MOST_FEATURES - 300), *range(200), *range(2000, 2700), *range(50)]
    content = "".join(f";TYPE:{name}\n{STATED}" for name in names).encode()
    (tmp_path / "a.gcode").write_bytes(content)
    starts = _starts(content)
    begins = [0, *(starts[len(starts) * n // 5] for n in range(1, 5))]
    serial = _read(monkeypatch, tmp_path / "a.gcode", [0])
    assert len(serial.features) == MOST_FEATURES
    _same(_read(monkeypatch, tmp_path / "a.gcode", begins), serial)
    assert len(taken) == 4


def test_a_move_written_otherwise_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    """Moves are counted from afar by how slicers write them; where that is wrong all is read."""
    content = f"{STATED}G01 X3\n{STATED * 9}".encode()
    (tmp_path / "a.gcode").write_bytes(content)
    serial = _read(monkeypatch, tmp_path / "a.gcode", [0])
    begin = _starts(content)[20]
    _same(_read(monkeypatch, tmp_path / "a.gcode", [0, begin]), serial)
    assert not taken


def test_only_long_files_are_read_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    line = np.frombuffer(b"G1 X1 Y1\n" * 8, np.uint8)
    assert borders(line) == [0]
    long = np.resize(line, 2 * SHORTEST + 1)
    begins = borders(long)
    assert len(begins) == 2 and begins[1] % 9 == 0 and abs(begins[1] - SHORTEST) < 10
    assert len(borders(np.resize(line, 9 * SHORTEST))) == 3
