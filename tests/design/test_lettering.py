"""Raised letters: wide enough for a nozzle of 0.4 mm, and open enough to be read."""

from itertools import pairwise

import manifold3d
import pytest

from labkit.design.solids import STROKE_MM, raised_text

CODES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _flat(words: str, height_mm: float) -> manifold3d.CrossSection:
    raised, width = raised_text(words, height_mm=height_mm, raised_mm=1, sunk_mm=0)
    flat = raised.slice(0.5)
    low_x, low_y, high_x, high_y = flat.bounds()
    assert (low_x, high_x, high_y - low_y) == pytest.approx((0, width, height_mm), abs=0.15)
    return flat


def _opened(flat: manifold3d.CrossSection, width_mm: float) -> manifold3d.CrossSection:
    miter = manifold3d.JoinType.Miter
    return flat.offset(-width_mm / 2, miter).offset(width_mm / 2, miter)


@pytest.mark.parametrize("words", [CODES, "SAMPLE-0001 R", "C-0001 left", "I", "-"])
def test_strokes_are_two_lines_wide(words: str) -> None:
    flat = _flat(words, 6.0)
    lost = (flat - _opened(flat, STROKE_MM - 0.02)).area()
    assert lost < 0.02 * flat.area()


@pytest.mark.parametrize("height_mm", [6.0, 5.0, 4.0, 3.0])
@pytest.mark.parametrize(
    ("letter", "outlines"), [("8", 3), ("B", 3), ("0", 2), ("A", 2), ("R", 2), ("S", 1), ("E", 1)]
)
def test_letters_keep_their_eyes(letter: str, outlines: int, height_mm: float) -> None:
    assert _flat(letter, height_mm).num_contour() == outlines


@pytest.mark.parametrize("height_mm", [6.0, 3.0])
def test_letters_are_apart(height_mm: float) -> None:
    pieces = _flat(CODES, height_mm).decompose()
    assert len(pieces) == len(CODES)
    spans = sorted((piece.bounds()[0], piece.bounds()[2]) for piece in pieces)
    assert min(after[0] - before[1] for before, after in pairwise(spans)) > 0.5


def test_a_blank_is_wider_than_what_parts_letters() -> None:
    _, together = raised_text("AB", height_mm=6, raised_mm=1, sunk_mm=0)
    _, apart = raised_text("A B", height_mm=6, raised_mm=1, sunk_mm=0)
    assert apart - together == pytest.approx(0.35 * 6)
