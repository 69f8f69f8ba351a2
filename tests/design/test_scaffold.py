from math import pi
from pathlib import Path
from typing import Any

import manifold3d
import numpy as np
import pytest
import trimesh

from labkit.design import Anatomy, Part
from labkit.design.log_pile import porosity_by_formula
from labkit.errors import DesignError
from labkit.parameters import Scaffold
from labkit.surface import solid
from tests.design.proving import (
    RANDOM_PARTS,
    assert_refused_outside,
    assert_slices,
    assert_sound,
    designed,
)

SMALL: dict[str, Any] = {
    "width_mm": 5.0,
    "depth_mm": 5.0,
    "height_mm": 3.5,
    "strand_mm": 0.5,
    "pore_mm": 0.7,
    "layer_height_mm": 0.4,
    "needle_mm": 0.5,
}


@pytest.fixture(scope="module")
def small() -> Part:
    """The small log-pile, which no test may change."""
    return designed(Scaffold(**SMALL))


@pytest.mark.parametrize("pattern", ["0/90", "0/0/90/90", "0/60/120", "0/45/90/135"])
def test_a_log_pile_has_the_porosity_of_the_formula(pattern: Any) -> None:
    values = SMALL | {"width_mm": 7.0, "depth_mm": 7.0, "height_mm": 4.0}
    for offset in (False, True):
        part = designed(Scaffold(**values, pattern=pattern, offset=offset))
        assert_sound(part)
        assert part.checks[0].verdict == "pass"
        formula = porosity_by_formula(Scaffold(**values, pattern=pattern))
        assert part.metrics["porosity_core"] == pytest.approx(formula, abs=0.02)
        assert part.metrics["void_reachable"] == 1


def test_strands_that_only_touch_have_the_porosity_of_free_cylinders() -> None:
    # h → d: what layers share vanishes, and π d²/(4 p h) of the space is strands.
    touching = Scaffold(strand_mm=1.0, layer_height_mm=1.0, pore_mm=1.0)
    assert porosity_by_formula(touching) == pytest.approx(1 - pi / 8)
    # At h = 0 two crossing cylinders would share Steinmetz' 16 r³/3.
    deep = Scaffold(strand_mm=2.0, layer_height_mm=0.05, pore_mm=5.0)
    shared = (pi * 4 / (4 * 7) - (1 - porosity_by_formula(deep)) * 0.05) * 7**2
    assert shared == pytest.approx(16 / 3, rel=0.01)


def test_strands_layers_and_pores_are_where_they_were_asked_for(small: Part) -> None:
    part = small
    assert part.mesh.extents == pytest.approx([5, 5, 8 * 0.4 + 0.5], abs=0.01)  # 9 layers
    lowest = solid(part.mesh.vertices, part.mesh.faces, "part").slice(0.1).decompose()
    assert len(lowest) == 4
    middles = sorted(np.mean(strand.bounds()[1::2]) for strand in lowest)
    assert np.diff(middles) == pytest.approx([1.2] * 3, abs=1e-6)
    assert 0.4 < part.metrics["throat_mm"] <= 0.7


def test_an_offset_closes_the_view_through_the_pile(small: Part) -> None:
    shifted = designed(Scaffold(**SMALL, offset=True))
    for part, open_share in ((small, (0.7 / 1.2) ** 2), (shifted, (0.2 / 1.2) ** 2)):
        shadow = solid(part.mesh.vertices, part.mesh.faces, "part").project()
        window = manifold3d.CrossSection.square((2.4, 2.4), center=True)  # two distances wide
        assert 1 - (shadow ^ window).area() / 2.4**2 == pytest.approx(open_share, abs=0.01)


def test_a_level_set_scaffold_is_solved_for_its_porosity() -> None:
    kinds: tuple[Any, ...] = ("block", "cylinder")
    for shape in kinds:
        part = designed(
            Scaffold(**SMALL, shape=shape, structure="gyroid network", porosity=0.6, cell_mm=1.75)
        )
        assert_sound(part)
        area = 25 if shape == "block" else 128 / 2 * np.sin(2 * pi / 128) * 2.5**2
        assert 1 - part.mesh.volume / (area * 3.5) == pytest.approx(0.6, abs=0.02)


def test_a_scaffold_fills_the_patients_structure() -> None:
    part = designed(
        Scaffold(
            shape="anatomy",
            strand_mm=1.0,
            pore_mm=1.5,
            layer_height_mm=0.8,
            needle_mm=1.0,
            keep_from_mm=4.0,
            keep_length_mm=8.0,
        )
    )
    assert_sound(part)
    placed = part.mesh.copy()
    placed.apply_transform(part.plate_to_patient)
    assert placed.bounds[:, 2] == pytest.approx([992, 1000], abs=0.05)
    assert part.edits[0].distances.max_mm < 1e-4
    assert part.metrics["porosity"] == pytest.approx(part.metrics["porosity_asked"], abs=0.06)
    assert "not for implantation" in part.caveats[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layer_height_mm": 0.55}, "so that layers fuse"),
        ({"layer_height_mm": 0.2}, "so that layers fuse"),
        ({"height_mm": 0.9, "pattern": "0/0/90/90"}, "all run one way"),
        ({"width_mm": 2.0, "pore_mm": 4.0}, "room for two strands"),
        ({"width_mm": 100.0, "depth_mm": 100.0, "height_mm": 50.0}, "crossings"),
        ({"structure": "schwarz p network", "porosity": 0.9}, "in pieces"),
    ],
)
def test_what_cannot_be_laid_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        designed(Scaffold(**SMALL | changes))


def test_needle_and_layers_are_held_against_each_other(small: Part) -> None:
    checks = {check.name: check for check in small.checks}
    assert checks["strand over needle"].verdict == "pass"
    other = designed(Scaffold(**SMALL | {"needle_mm": 1.0})).checks
    verdicts = {check.name: check.verdict for check in other}
    assert verdicts["strand over needle"] == "fail"
    assert verdicts["layer height over needle"] == "action"


def test_random_scaffolds_are_sound() -> None:
    draw = np.random.default_rng(4)
    for _ in range(RANDOM_PARTS):
        strand, pore = draw.uniform(0.3, 1.2), draw.uniform(0.3, 1.5)
        side = max(2.0, (strand + pore) * draw.uniform(2.1, 3.5))
        cell_mm = draw.uniform(1.5, 3)
        structure = str(draw.choice(["log-pile", "gyroid sheet", "gyroid network", "iwp network"]))
        pile = structure == "log-pile"
        values: dict[str, Any] = {
            "shape": str(draw.choice(["block", "cylinder"])),
            "structure": structure,
            "strand_mm": strand,
            "pore_mm": pore,
            "layer_height_mm": max(0.05, strand * draw.uniform(0.55, 0.95)),
            "width_mm": side if pile else max(2.0, 2.2 * cell_mm),
            "depth_mm": side * draw.uniform(1, 1.3) if pile else max(2.0, 2 * cell_mm),
            "height_mm": max(0.5, strand * draw.uniform(3.2, 5)) if pile else 2 * cell_mm,
            "cell_mm": cell_mm,
            "porosity": draw.uniform(0.45, 0.7),
            "pattern": str(draw.choice(["0/90", "0/0/90/90", "0/60/120", "0/45/90/135"])),
            "offset": bool(draw.random() < 0.5),
        }
        assert_sound(designed(Scaffold(**values)))


def test_outside_the_envelope_is_refused_by_name() -> None:
    assert_refused_outside(Scaffold)


@pytest.mark.parametrize("structure", ["log-pile", "gyroid sheet", "schwarz p network"])
def test_scaffolds_slice(structure: Any, tmp_path: Path, lab_home: Path) -> None:
    values = SMALL | {"width_mm": 10.0, "depth_mm": 10.0, "strand_mm": 0.8, "pore_mm": 1.0}
    values |= {"layer_height_mm": 0.6, "cell_mm": 5.0, "porosity": 0.5}
    assert_slices(designed(Scaffold(**values, structure=structure)), tmp_path)


def test_a_real_wrist_bone_is_filled(real_data: Path) -> None:
    bone = trimesh.load_mesh(real_data / "bones_mesh" / "manualCarpal1.stl")
    part = designed(
        Scaffold(shape="anatomy", structure="gyroid network", cell_mm=3.0), Anatomy(bone)
    )
    assert_sound(part)
    assert part.metrics["porosity"] == pytest.approx(0.7, abs=0.02)
    assert part.edits[0].distances.p95_mm < 0.001
