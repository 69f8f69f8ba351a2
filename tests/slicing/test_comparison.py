"""Two files: the same written in other ways is equal, what prints otherwise is different."""

from pathlib import Path

import numpy as np
import pytest

from labkit.slicing.comparison import Tolerance, compare
from labkit.slicing.toolpath import read_toolpath

from .signed_parts import SignedPart, signed_part, tampering_module

tampering = tampering_module()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> SignedPart:
    return signed_part("box", tmp_path_factory.mktemp("box"))


@pytest.mark.parametrize("way", list(tampering.ENCODINGS))
def test_the_same_print_written_in_another_way_is_equal(
    way: str, box: SignedPart, tmp_path: Path
) -> None:
    file = tampering.encoded(box.base, way, np.random.default_rng(3), tmp_path / "other.gcode")
    assert file.read_bytes() != box.base.gcode.read_bytes()
    found = compare(box.path, read_toolpath(file))
    assert found.verdict in ("identical", "equal"), found.differences
    assert not found.differences
    assert found.path_mm < Tolerance().path_mm / 2


def test_comments_do_not_count(box: SignedPart, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = tampering.encoded(box.base, "without comments", rng, tmp_path / "plain.gcode")
    assert compare(box.path, read_toolpath(file)).verdict == "identical"


@pytest.mark.parametrize("arachne", [False, True])
def test_the_same_part_sliced_again_is_equal(
    arachne: bool, box: SignedPart, tmp_path: Path
) -> None:
    one, other = (
        read_toolpath(
            tampering.resliced(
                box.base, tmp_path / f"{processors}.gcode", arachne=arachne, processors=processors
            )
        )
        for processors in (2, 1)
    )
    found = compare(one, other)
    assert found.verdict != "different", found.differences
    if not arachne:  # on one processor, as the kit slices
        again = tampering.resliced(box.base, tmp_path / "again.gcode", arachne=False, processors=1)
        assert compare(other, read_toolpath(again)).verdict == "identical"


@pytest.mark.parametrize("method", list(tampering.METHODS))
@pytest.mark.parametrize("seed", [1, 2])
def test_tampering_is_different(method: str, seed: int, box: SignedPart, tmp_path: Path) -> None:
    rng = np.random.default_rng([seed, len(method)])
    what, file = tampering.METHODS[method](box.base, rng, tmp_path / "tampered.gcode")
    found = compare(box.path, read_toolpath(file))
    assert found.verdict == "different", what
    assert all(one.message and one.where for one in found.differences)


def _edited(box: SignedPart, folder: Path, **words: float | None) -> tuple[int, Path]:
    """A long line of the wall in layer 20 with other numbers; its line number."""
    text = tampering.Text(box.base.gcode)
    rows = text.moves(range(20, 21), "External perimeter")
    move = int(rows[text.distance_mm[rows].argmax()])
    text.change(move, **words)
    return int(text.path.line[move]), text.write(folder / "edited.gcode")


def test_a_difference_names_layer_place_and_size(box: SignedPart, tmp_path: Path) -> None:
    line, file = _edited(box, tmp_path, E=None)
    found = compare(box.path, read_toolpath(file))
    (path,) = [one for one in found.differences if one.rule == "path"]
    x, y = box.path.end[box.path.line == line][0, :2]
    assert path.z_mm == pytest.approx(4.2)
    assert path.value == pytest.approx(23.55, abs=0.5)  # the box is 24 mm long, less a line
    assert path.place_mm is not None
    assert min(abs(path.place_mm[0] - x), abs(path.place_mm[1] - y)) < 0.5


@pytest.mark.parametrize(("speed", "verdict"), [(600, "different"), (1500, "identical")])
def test_speed_counts(speed: float, verdict: str, box: SignedPart, tmp_path: Path) -> None:
    lines = box.base.gcode.read_text().splitlines()
    edited = tmp_path / "slow.gcode"
    edited.write_text("\n".join(f"G1 F{speed}" if ln == "G1 F1500" else ln for ln in lines) + "\n")
    found = compare(box.path, read_toolpath(edited))
    assert found.verdict == verdict
    assert {one.rule for one in found.differences} == (
        {"time"} if verdict == "different" else set()
    )


def test_a_command_of_one_file_is_named_with_its_line(box: SignedPart, tmp_path: Path) -> None:
    lines = box.base.gcode.read_text().splitlines()
    lines.insert(2000, "M92 E800")
    edited = tmp_path / "command.gcode"
    edited.write_text("\n".join(lines) + "\n")
    (difference,) = compare(box.path, read_toolpath(edited)).differences
    assert (difference.rule, difference.line) == ("command", 2001)
    assert "M92 E800" in difference.message


def test_texts_of_commands_count(box: SignedPart, tmp_path: Path) -> None:
    lines = box.base.gcode.read_text().splitlines()
    files = []
    for words in ("M118 ready", "M118 //action:pause"):
        file = tmp_path / f"{len(words)}.gcode"
        file.write_text("\n".join([*lines[:2000], words, *lines[2000:]]) + "\n")
        files.append(read_toolpath(file))
    assert compare(files[0], files[1]).verdict == "different"


def test_arcs_cannot_be_told_to_be_equal(box: SignedPart, tmp_path: Path) -> None:
    arcs = tmp_path / "arcs.gcode"
    arcs.write_text(box.base.gcode.read_text() + "G2 X120 Y100 I1 J1\n")
    path = read_toolpath(arcs)
    assert {one.rule for one in compare(path, path).differences} == {"arcs"}


def test_a_cut_off_file_is_different(box: SignedPart, tmp_path: Path) -> None:
    lines = box.base.gcode.read_text().splitlines()
    cut = tmp_path / "cut.gcode"
    cut.write_text("\n".join(lines[: len(lines) // 2]) + "\n")
    rules = {one.rule for one in compare(box.path, read_toolpath(cut)).differences}
    assert {"layers", "left-hot"} <= rules


def test_an_empty_file_is_different_and_two_are_identical(box: SignedPart, tmp_path: Path) -> None:
    empty = tmp_path / "empty.gcode"
    empty.write_text("; nothing\n")
    nothing = read_toolpath(empty)
    assert compare(box.path, nothing).verdict == "different"
    assert compare(nothing, box.path).verdict == "different"
    assert compare(nothing, nothing).verdict == "identical"
