"""What a person sees of a part: thin places, a revision's changes, a family's tables."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit.views.parts import details, difference, printable
from labkit.volume import Array


@dataclass(frozen=True)
class _Found:
    too_thin_mm: Array
    places: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class _Change:
    of_vertices_mm: Array


@pytest.fixture
def block() -> trimesh.Trimesh:
    made: trimesh.Trimesh = trimesh.creation.box((10, 20, 30))
    return made


def test_thin_places_are_coloured_and_marked(block: trimesh.Trimesh) -> None:
    none = np.zeros(len(block.faces))
    some = np.where(np.arange(len(none)) == 3, 0.4, 0.0)
    plain, marked = (
        printable(block, _Found(short, places))
        for short, places in ((none, {}), (some, {"thinnest wall": np.zeros(3)}))
    )
    assert plain.png != marked.png
    assert "marked: 1 thinnest wall" in marked.alt
    assert "marked" not in plain.alt
    assert "coloured" in marked.alt
    assert "coloured" not in plain.alt, "nothing is too thin: a scale of 0.001 mm says nothing"
    assert "10.0 mm (X) × 20.0 mm (Y) × 30.0 mm (Z)" in marked.alt


def test_a_first_revision_has_no_picture_a_second_has(
    block: trimesh.Trimesh, tmp_path: Path
) -> None:
    path = tmp_path / "difference.png"
    assert "first revision" in repr(difference(block, None, path))
    assert not path.exists()
    shown = difference(block, _Change(np.linspace(-1, 1, len(block.vertices))), path)
    assert "from -1 to 1 mm" in repr(shown)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_tables_of_a_family_are_shown_and_other_words_are_not() -> None:
    found = details({"drill_plan": [{"hole": "A", "angle_deg": 12.5}], "note": "words", "none": []})
    assert "drill plan" in repr(found)
    assert "12.5" in repr(found)
    assert "words" not in repr(found)
    assert "no tables" in repr(details({"note": "words"}))
