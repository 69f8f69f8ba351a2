"""``labkit gcode check`` and ``labkit gcode compare``, as a technician types them."""

import json
from pathlib import Path

import pytest

from labkit.cli import main
from labkit.surface import write_stl
from tests.slicing.signed_parts import SignedPart, signed_part


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> SignedPart:
    return signed_part("box", tmp_path_factory.mktemp("box"))


def _run(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


@pytest.fixture
def tampered(box: SignedPart, tmp_path: Path) -> Path:
    """Every second line of infill left out: nothing that the gate could see."""
    text = box.tampering.Text(box.base.gcode)
    for move in text.moves(range(10, 30), "Internal infill"):
        text.change(int(move), E=None)
    written: Path = text.write(tmp_path / "tampered.gcode")
    return written


def test_an_honest_file_may_be_printed(
    box: SignedPart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stl = tmp_path / "part.stl"
    write_stl(box.base.mesh, stl)
    assert _run("gcode", "check", box.base.gcode, "--part", stl) == 0
    said = capsys.readouterr().out
    assert "may be printed" in said
    assert "60 layers" in said


def test_a_dangerous_file_is_refused_with_its_line(
    box: SignedPart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = box.base.gcode.read_text().splitlines()
    lines.insert(3000, "M500")
    path = tmp_path / "bad.gcode"
    path.write_text("\n".join(lines) + "\n")
    assert _run("gcode", "check", path, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["refused"]
    assert [(one["rule"], one["line"]) for one in report["findings"]] == [("forbidden", 3001)]


def test_with_the_part_what_is_hollow_is_refused(
    box: SignedPart, tampered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stl = tmp_path / "part.stl"
    write_stl(box.base.mesh, stl)
    assert _run("gcode", "check", tampered) == 0
    assert _run("gcode", "check", tampered, "--part", stl) == 1
    said = capsys.readouterr().out
    assert "hollow place" in said
    assert "layer 11 to 30" in said


def test_comparison_says_equal_or_where(
    box: SignedPart, tampered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("gcode", "compare", box.base.gcode, box.base.gcode) == 0
    assert "identical" in capsys.readouterr().out
    assert _run("gcode", "compare", box.base.gcode, tampered, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "different"
    assert {one["rule"] for one in report["differences"]} >= {"path", "plastic"}


def test_a_missing_file_is_one_paragraph(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("gcode", "compare", tmp_path / "no.gcode", tmp_path / "no.gcode") == 2
    assert "Do next:" in capsys.readouterr().err
