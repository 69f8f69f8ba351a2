import re

import pytest

from labkit.errors import ParameterError
from labkit.parameters import MODELS, bounds, choices, kept_as, named_structures, places, validated
from tests.conftest import PROJECT


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError) as caught:
        validated("02_segmentation", {"thresold_hu": 250})
    assert "thresold_hu" in caught.value.found
    assert caught.value.fix == "the nearest name is threshold_hu"


@pytest.mark.parametrize(
    ("stage", "name", "value", "nearest"),
    [
        ("02_segmentation", "threshold_hu", 9999, "threshold_hu = 3000"),
        ("02_segmentation", "threshold_hu", 250.4, "threshold_hu = 250"),
        ("02_segmentation", "structure", "bones", "structure = 'bone'"),
        ("02_segmentation", "seeds_lps_mm", "1, 2", "the default is seeds_lps_mm = ''"),
        ("03_design", "scale", 0, "scale = 0.1"),
        ("03_design", "scale", float("nan"), "the default is scale = 1.0"),
        ("04_slicing", "supports", "yes", "supports = False"),
        ("04_slicing", "infill_percent", True, "infill_percent = -1"),
        ("05_printing", "printer", 7, "printer = 'practice'"),
    ],
)
def test_a_bad_value_is_refused_by_name_with_the_nearest_valid(
    stage: str, name: str, value: object, nearest: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        validated(stage, {name: value})
    assert caught.value.found.startswith(f"{name} = ")
    assert nearest in caught.value.fix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("1,2,3", ((1.0, 2.0, 3.0),)),
        ("-1.5, 2, 3.25; 4, 5, -6", ((-1.5, 2.0, 3.25), (4.0, 5.0, -6.0))),
    ],
)
def test_places_are_read_as_they_are_written(
    text: str, expected: tuple[tuple[float, float, float], ...]
) -> None:
    assert validated("02_segmentation", {"seeds_lps_mm": text})
    assert places(text) == expected


def test_a_whole_number_does_for_a_decimal_one() -> None:
    assert validated("03_design", {"scale": 1}).model_dump()["scale"] == 1.0


def test_decisions_hold_no_paths() -> None:
    decided = validated("01_scan", {"source": "/mnt/DOE^JOHN", "case_dir": "/c"}).decided()
    assert "DOE" not in str(decided)
    assert set(decided) == set(MODELS["01_scan"].model_fields) - {"source", "case_dir"}


@pytest.mark.parametrize("stage", MODELS)
def test_every_parameter_says_what_it_is_for_and_numbers_have_bounds(stage: str) -> None:
    for name, field in MODELS[stage].model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            assert None not in bounds(field), name
        assert not choices(field) or field.default in choices(field)


def test_structures_are_read_as_they_are_written() -> None:
    text = "Left femur; tibia: bone 250 @ 1, 2, -3.5 @ 4,5,6 ; crown: 1100; Teeth"
    found = named_structures(text)
    assert [(one.name, one.kind, one.threshold_hu) for one in found] == [
        ("Left femur", None, None),
        ("tibia", "bone", 250),
        ("crown", None, 1100),
        ("Teeth", "teeth", None),
    ]
    assert places(found[1].seeds_lps_mm) == ((1.0, 2.0, -3.5), (4.0, 5.0, 6.0))
    assert named_structures("") == ()
    validated("02_segmentation", {"structures": text})


@pytest.mark.parametrize("text", ["a; A", "a: wood", "a @ 1, 2", ";", "a;;b", "a: bone 3.5"])
def test_structures_that_cannot_be_read_say_their_form(text: str) -> None:
    with pytest.raises(ParameterError) as caught:
        validated("02_segmentation", {"structures": text})
    assert "name: kind threshold @ x, y, z" in caught.value.expected


def test_what_a_notebook_takes_from_its_last_revision_is_what_a_run_hands_on() -> None:
    """`kept_as` of the model, which the run reads, and the call in the notebook or package."""
    for stage, model in MODELS.items():
        source = (PROJECT / "notebooks" / f"{stage}.ipynb").read_text(encoding="utf-8")
        called = re.findall(r'path_or_kept\(\\"(\w+)\\", \\"([\w.]+)\\"\)', source)
        for name, product in called:
            assert kept_as(model.model_fields[name]) == product
    kept = {n: kept_as(f) for m in MODELS.values() for n, f in m.model_fields.items() if kept_as(f)}
    assert kept == {
        "strokes": "strokes.json",
        "mask_file": "imported.seg.nrrd",
        "gcode_file": "part.gcode",
        "measurements_csv": "measurements.csv",
    }
