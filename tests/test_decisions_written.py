import pytest

from labkit.errors import InputError
from labkit.parameters import FAMILIES, model_of, validated, why
from labkit.parameters.written import listed, read_decisions
from labkit.procedures.notebooks import stage_named


def test_numbers_are_numbers_and_words_stay_words() -> None:
    texts = ["02.threshold_hu=250", "design.base=none", "slicing.supports=true", "scan.series=7"]
    assert read_decisions(texts, stage_named, "anatomical model") == {
        "02_segmentation": {"threshold_hu": 250},
        "03_design": {"base": "none"},
        "04_slicing": {"supports": True},
        "01_scan": {"series": "7"},
    }


def test_the_ordered_device_settles_which_parameters_there_are() -> None:
    read = read_decisions(["design.scale=0.5"], stage_named, "anatomical model")
    assert read == {"03_design": {"scale": 0.5}}
    assert validated("03_design", read["03_design"]).model_dump()["scale"] == 0.5
    for device, family in FAMILIES.items():
        assert model_of("03_design", {"device": device}) is family
        assert family.model_fields["device"].default == device


@pytest.mark.parametrize("text", ["threshold_hu=250", "02.threshold_hu", "nowhere.threshold_hu=1"])
def test_another_form_or_stage_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_decisions([text], stage_named, "anatomical model")


def test_every_number_of_a_familys_envelope_says_why_it_ends_there() -> None:
    for device, family in FAMILIES.items():
        for row in listed("03_design", device):
            if type(row["default"]) in (int, float):
                name = f"{device}: {row['name']}"
                assert row["range"], name
                assert why(family.model_fields[row["name"]]), name
