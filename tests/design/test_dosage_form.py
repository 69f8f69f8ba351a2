from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from labkit.design.dosage_form import FAMILY, shape_of, target_mm3
from labkit.design.uniformity import uniformity, uniformity_of_masses
from labkit.errors import DesignError
from labkit.parameters import DosageForm
from tests.design.proving import (
    RANDOM_PARTS,
    assert_refused_outside,
    assert_slices,
    assert_sound,
    designed,
)

SHAPES = get_args(DosageForm.model_fields["shape"].annotation)


@pytest.mark.parametrize("shape", SHAPES)
def test_volume_and_surface_over_volume_are_solved(shape: Any) -> None:
    for volume, ratio in ((150.0, 2.6), (600.0, 1.6)):
        parameters = DosageForm(
            shape=shape, given="volume", volume_mm3=volume, surface_to_volume_per_mm=ratio
        )
        part = designed(parameters)
        assert_sound(part)
        assert part.mesh.volume == pytest.approx(volume, rel=0.005)
        assert part.mesh.area / part.mesh.volume == pytest.approx(ratio, rel=0.005)
        assert [check.verdict for check in part.checks[:2]] == ["pass", "pass"]


@pytest.mark.parametrize("shape", SHAPES)
def test_formulas_of_a_shape_hold_for_its_mesh(shape: Any) -> None:
    for rings, hole in ((1, 0.5), (3, 0.8)):
        made = shape_of(DosageForm(shape=shape, hole_share=hole, rings=rings))
        for aspect in (made.span[0] * 1.5, made.span[1] * 0.9):
            body = made.body(aspect)
            assert body.volume() == pytest.approx(made.volume(aspect), rel=2e-3)
            assert body.surface_area() == pytest.approx(made.surface(aspect), rel=2e-3)
            assert body.bounding_box()[2] == pytest.approx(0, abs=1e-9)


def test_a_tablet_is_the_cylinder_of_the_textbook() -> None:
    part = designed(DosageForm(mass_mg=500.0, density_g_cm3=1.25, aspect=0.5))
    width = (400 * 8 / np.pi) ** (1 / 3)  # V = π d²/4 · d/2
    assert part.mesh.extents == pytest.approx([width, width, width / 2], rel=1e-3)
    assert part.metrics["mass_mg"] == pytest.approx(500)


def test_mass_takes_filling_and_yield_into_account() -> None:
    plain = target_mm3(DosageForm(mass_mg=500.0))
    assert plain == pytest.approx(500 / 1.2)
    less = DosageForm(mass_mg=500.0, filled_percent=50.0, yield_percent=93.8)
    assert target_mm3(less) == pytest.approx(plain / 0.5 / 0.938)
    assert designed(less).metrics["mass_mg"] == pytest.approx(500)
    assert "assumed, not weighed" in designed(less).details["mass"]


def test_research_only_is_said_everywhere() -> None:
    part = designed(DosageForm())
    assert "research only" in part.caveats[0]
    assert "research only" in part.objects[0].name
    assert "research only" in FAMILY.limits[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"surface_to_volume_per_mm": 0.5}, "per mm for a tablet"),
        ({"surface_to_volume_per_mm": 20.0}, "per mm for a tablet"),
        ({"shape": "torus", "aspect": 1.2}, "hole stays open"),
        ({"trial_masses_mg": "300; 301; 299"}, "3 contents"),
        ({"trial_masses_mg": "0; " * 9 + "300"}, "positive"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        designed(DosageForm(**changes))


def test_the_acceptance_value_follows_the_table_of_the_pharmacopoeia() -> None:
    spread = np.array([-1, 1] * 5) * np.sqrt(0.9)  # s = 1 exactly
    for mean, reference, value in (
        (100.0, 100.0, 2.4),
        (98.5, 98.5, 2.4),
        (95.0, 98.5, 5.9),
        (104.0, 101.5, 4.9),
    ):
        found = uniformity((mean + spread).tolist())
        assert found.sd_percent == pytest.approx(1)
        assert found.reference_percent == pytest.approx(reference)
        assert found.acceptance_value == pytest.approx(value)
    assert uniformity((104.0 + spread).tolist(), 105.0).acceptance_value == pytest.approx(2.4)
    assert uniformity((106.0 + spread).tolist(), 105.0).acceptance_value == pytest.approx(3.4)


def test_thirty_units_have_another_constant_and_a_limit_for_each() -> None:
    contents = np.full(30, 100.0)
    contents[0] = 74.0
    found = uniformity(contents.tolist())
    assert found.acceptance_value == pytest.approx(2 * contents.std(ddof=1) + 0, abs=0.1)
    assert found.acceptance_value < 15 and found.farthest_percent > 25 and not found.within
    contents[0] = 80.0
    assert uniformity(contents.tolist()).within


def test_a_trial_is_judged_by_its_masses() -> None:
    masses = [281.0, 283, 279, 285, 280, 282, 281, 284, 279, 280]
    part = designed(DosageForm(trial_masses_mg="; ".join(map(str, masses))))
    found = uniformity_of_masses(masses, 300.0)
    assert found.mean_percent == pytest.approx(93.8)
    assert part.checks[-1].value == pytest.approx(found.acceptance_value)
    assert part.checks[-1].verdict == "pass"
    poor = designed(DosageForm(trial_masses_mg="; ".join(["200", "300"] * 5)))
    assert poor.checks[-1].verdict == "action"
    assert poor.details["uniformity"][0]["units"] == 10


def test_random_dosage_forms_are_sound() -> None:
    draw = np.random.default_rng(6)
    for _ in range(max(RANDOM_PARTS, 60)):
        shape = str(draw.choice(SHAPES))
        values: dict[str, Any] = {
            "shape": shape,
            "mass_mg": draw.uniform(5, 5000),
            "density_g_cm3": draw.uniform(0.3, 3),
            "filled_percent": draw.uniform(20, 100),
            "yield_percent": draw.uniform(80, 110),
            "aspect": draw.uniform(0.05, 0.95) if shape == "torus" else draw.uniform(0.01, 1.5),
            "hole_share": draw.uniform(0.2, 0.9),
            "rings": int(draw.integers(1, 5)),
        }
        part = designed(DosageForm(**values))
        assert_sound(part)
        assert part.metrics["mass_mg"] == pytest.approx(values["mass_mg"], rel=0.005)


def test_outside_the_envelope_is_refused_by_name() -> None:
    assert_refused_outside(DosageForm)


@pytest.mark.parametrize("shape", ["caplet", "torus", "honeycomb"])
def test_dosage_forms_slice(shape: Any, tmp_path: Path, lab_home: Path) -> None:
    assert_slices(designed(DosageForm(shape=shape, mass_mg=800.0)), tmp_path)
