"""What a run made again, beside what a person had made."""

import json
import shutil
from pathlib import Path

import pytest

from labkit.procedures.repeats import in_words, repeated
from tests.printing.gcode import write_gcode


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    by_hand, again = tmp_path / "by-hand", tmp_path / "again"
    by_hand.mkdir()
    (by_hand / "surface.stl").write_text("solid")
    (by_hand / "deep").mkdir()
    (by_hand / "deep" / "a.dcm").write_text("1")
    (by_hand / "result.json").write_text("by hand")
    write_gcode(by_hand / "part.gcode")
    shutil.copytree(by_hand, again)
    (again / "result.json").write_text("again")
    return by_hand, again


def test_the_same_bytes_are_the_same_and_a_record_is_of_its_own(
    folders: tuple[Path, Path],
) -> None:
    found = repeated(*folders)
    assert {one.name: one.outcome for one in found} == {
        "deep/a.dcm": "the same bytes",
        "part.gcode": "the same bytes",
        "surface.stl": "the same bytes",
    }
    assert in_words(found) == "3 of 3 products as they were made by hand"


def test_gcode_is_held_against_what_it_prints(folders: tuple[Path, Path]) -> None:
    by_hand, again = folders
    text = (by_hand / "part.gcode").read_text()
    (again / "part.gcode").write_text("; made a moment later\n" + text)
    assert {one.name: one.outcome for one in repeated(by_hand, again)}["part.gcode"] == (
        "prints the same"
    )
    lines = text.splitlines(keepends=True)
    (again / "part.gcode").write_text("".join(lines[: len(lines) // 2]))
    found = repeated(by_hand, again)
    assert {one.name: one.outcome for one in found}["part.gcode"] == "different"
    assert in_words(found) == (
        "2 of 3 products as they were made by hand; not so: part.gcode (different)"
    )


def test_what_is_told_of_gcode_is_held_against_what_it_prints(
    folders: tuple[Path, Path],
) -> None:
    by_hand, again = folders
    told = {"sha256": "aa", "mass_g": 20.299151, "layers": [{"z_mm": 0.2, "at_byte": 20000}]}
    (by_hand / "gcode.json").write_text(json.dumps(told))

    def outcome(**changes: object) -> str:
        (again / "gcode.json").write_text(json.dumps({**told, **changes}))
        return {one.name: one.outcome for one in repeated(by_hand, again)}["gcode.json"]

    assert outcome() == "the same bytes"
    text = (by_hand / "part.gcode").read_text()
    (again / "part.gcode").write_text("; made a moment later\n" + text)
    rounded = {"sha256": "bb", "mass_g": 20.299152, "layers": [{"z_mm": 0.2, "at_byte": 20001}]}
    assert outcome(**rounded) == "says the same"
    assert outcome(mass_g=20.4) == "different"
    assert outcome(layers=[]) == "different"
    assert outcome(more=1) == "different"
    (again / "gcode.json").write_text("{")
    assert not {one.name: one for one in repeated(by_hand, again)}["gcode.json"].is_equal
    (again / "part.gcode").write_text("".join(text.splitlines(keepends=True)[:10]))
    assert outcome(**rounded) == "different"


def test_what_is_missing_or_another_one_is_named(folders: tuple[Path, Path]) -> None:
    by_hand, again = folders
    (again / "surface.stl").write_text("solid another")
    (again / "deep" / "a.dcm").unlink()
    found = {one.name: one for one in repeated(by_hand, again)}
    assert found["surface.stl"].outcome == "different"
    assert found["deep/a.dcm"].outcome == "not made again"
    assert not found["surface.stl"].is_equal
    assert found["part.gcode"].is_equal
