from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from pydantic import BaseModel, Field

from labkit import views
from labkit.case import Case, Caveat
from labkit.errors import ParameterError
from labkit.parameters import (
    FAMILIES,
    MODELS,
    AnatomicalModel,
    Segmentation,
    choices,
    validated,
)
from labkit.stage import begin
from labkit.views import Words, decisions


class Stage:
    def __init__(self, *, headless: bool, parameters: BaseModel | None = None) -> None:
        self.headless = headless
        self.parameters = parameters or Segmentation(case_dir="cases/one")
        self.accepted: list[dict[str, Any]] = []
        self.caveats: list[Caveat] = []
        self.left_open: dict[str, str] = {}
        self.name = "02_segmentation"
        self.case: Any = None
        self.minutes = self.minutes_before = 0.0
        self.made_by_hand: list[Path] = []

    def take_over(self, hand_made: Iterable[Path]) -> None:
        raise NotImplementedError

    def require_nothing_left_open(self) -> None:
        raise NotImplementedError

    def as_it_comes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def resume(self) -> str:
        return ""

    def accept(self, values: dict[str, Any]) -> str:
        validated("02_segmentation", values)
        self.accepted.append(values)
        return "Accepted: <saved>."


def opened(stage: Stage) -> tuple[dict[str, Any], ipywidgets.Button, ipywidgets.HTML]:
    box = views.panel(stage)
    assert isinstance(box, ipywidgets.VBox)
    *_, button, answer = box.children
    return fields_of(box), button, answer


def fields_of(box: ipywidgets.VBox) -> dict[str, Any]:
    """Each field by its name, those that are folded away, too."""
    found: dict[str, Any] = {}
    for line in box.children:
        if isinstance(line, ipywidgets.VBox) and line.children:
            if isinstance(line.children[0], ipywidgets.VBox):
                found |= fields_of(line)
            else:
                found[line.children[0].description.split(" ")[0]] = line.children[0]
    return found


def test_headless_it_is_a_table_of_every_parameter() -> None:
    shown = views.panel(Stage(headless=True))
    assert isinstance(shown, Words)
    for name in set(Segmentation.model_fields) - {"case_dir"}:
        assert name in shown.text
    for said in ("300", "HU", "-1000 to 3000", "0 to 1000000", "set, otsu, half height"):
        assert said in shown.text
    assert "case_dir" not in shown.text


@pytest.mark.parametrize("headless", [True, False])
def test_what_earlier_stages_leave_to_know_stands_above_the_parameters(headless: bool) -> None:
    stage = Stage(headless=headless)
    stage.caveats = [Caveat(stage="01_scan", text="two of 60 images are <made up>")]
    shown = views.panel(stage)
    said = shown.html if isinstance(shown, Words) else shown.children[0].value
    assert "Caveat of 01_scan: two of 60 images are &lt;made up&gt;" in said


def test_fields_carry_value_unit_bounds_and_words() -> None:
    inputs, _, _ = opened(Stage(headless=False))
    threshold = inputs["threshold_hu"]
    assert (threshold.value, threshold.min, threshold.max) == (300, -1000, 3000)
    assert threshold.description == "threshold_hu (HU)"
    assert inputs["structure"].options == choices(Segmentation.model_fields["structure"])
    assert inputs["seeds_lps_mm"].description == "seeds_lps_mm (mm)"
    assert "case_dir" not in inputs


@pytest.mark.parametrize("model", MODELS.values())
def test_every_stage_has_its_fields_and_they_hold_what_the_model_holds(model: type) -> None:
    stage = Stage(headless=False, parameters=model())
    inputs, _, _ = opened(stage)
    for name, value in stage.parameters.model_dump().items():
        if name not in ("case_dir", "operator"):
            assert inputs[name].value == value
            assert type(inputs[name].value) is type(value)


def test_nothing_is_used_until_the_button_is_pressed() -> None:
    stage = Stage(headless=False)
    inputs, button, answer = opened(stage)
    inputs["threshold_hu"].value = 250
    assert stage.accepted == []
    assert stage.left_open == {"the parameters": "threshold_hu"}
    assert "Changed: threshold_hu. Press Use these values." in answer.value
    button.click()
    assert stage.accepted == [{"threshold_hu": 250}]
    assert "Accepted: &lt;saved&gt;." in answer.value
    assert not stage.left_open


def test_a_change_after_it_asks_again_and_one_taken_back_does_not() -> None:
    stage = Stage(headless=False)
    inputs, button, answer = opened(stage)
    button.click()
    inputs["components"].value = 3
    assert "Changed: components." in answer.value
    inputs["components"].value = 1
    assert not stage.left_open
    inputs["components"].value = 3
    button.click()
    assert stage.accepted == [{}, {"components": 3}]


def test_what_was_decided_elsewhere_meanwhile_stays() -> None:
    stage = Stage(headless=False)
    inputs, button, _ = opened(stage)
    stage.parameters = Segmentation(threshold_hu=222)  # beside a picture
    inputs["components"].value = 2
    button.click()
    assert stage.accepted == [{"components": 2}]


def test_another_family_of_parts_brings_its_own_fields_and_keeps_the_common_ones() -> None:
    class Designing(Stage):
        def accept(self, values: dict[str, Any]) -> str:
            self.accepted.append(validated("03_design", values).model_dump())
            return "Accepted."

    stage = Designing(headless=False, parameters=AnatomicalModel(case_dir="cases/one"))
    box = views.panel(stage)
    assert isinstance(box, ipywidgets.VBox)

    fields_of(box)["material"].value = "PETG"
    fields_of(box)["device"].value = "dosage form"
    expected_names = set(FAMILIES["dosage form"].model_fields) - {"case_dir", "operator"}
    assert set(fields_of(box)) == expected_names
    assert fields_of(box)["material"].value == "PETG"
    box.children[-2].click()
    expected = FAMILIES["dosage form"](material="PETG")
    assert stage.accepted == [expected.model_dump()]


def test_what_the_stage_refuses_is_shown_as_text() -> None:
    class Strict(Stage):
        def accept(self, values: dict[str, Any]) -> str:
            raise ParameterError(
                "threshold_hu = 300", expected="200 or less", fix="lower it", where="<here>"
            )

    _, button, answer = opened(Strict(headless=False))
    button.click()
    assert "Not used. Found: threshold_hu = 300" in answer.value
    assert "&lt;here&gt;" in answer.value


def test_numbers_without_bounds_have_fields_too() -> None:
    class Open(BaseModel):
        count: int = Field(default=2, description="any")
        share: float = Field(default=0.5, description="any")

    inputs, _, _ = opened(Stage(headless=False, parameters=Open()))
    assert type(inputs["count"]) is ipywidgets.IntText
    assert type(inputs["share"]) is ipywidgets.FloatText


def test_what_is_rarely_set_is_folded_away_unless_it_is_set() -> None:
    box = views.panel(Stage(headless=False, parameters=Segmentation(open_mm=1.0)))
    assert isinstance(box, ipywidgets.VBox)
    *seen, more, rare, _, _ = box.children
    names = [line.children[0].description.split(" ")[0] for line in seen]
    assert names == [
        "structure",
        "threshold_hu",
        "threshold_from",
        "components",
        "open_mm",
        "structures",
    ]
    assert more.description == f"Show {len(Segmentation.rare) - 1} more values"
    assert rare.layout.display == "none"
    more.click()
    assert rare.layout.display is None
    assert more.description.startswith("Hide")


def test_names_of_profiles_are_offered(lab_home: object) -> None:
    inputs, _, _ = opened(Stage(headless=False, parameters=MODELS["04_slicing"]()))
    assert {"practice", "MK3S"} <= set(inputs["printer"].options)
    assert "PETG" in inputs["material"].options
    inputs, _, _ = opened(Stage(headless=False, parameters=MODELS["05_printing"]()))
    assert inputs["printer"].options == ("practice",)


@pytest.mark.parametrize("model", MODELS.values())
def test_only_names_of_the_model_are_rare(model: Any) -> None:
    assert model.rare <= model.model_fields.keys()


class StaffView:
    """Stands for Voilà: which page is opened again."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.opened: list[Path] = []
        self.widget = ipywidgets.VBox()
        patch.setattr(decisions, "in_staff_view", lambda: True)
        patch.setattr(decisions, "somebody_looks_on", lambda: True)
        patch.setattr(decisions, "Opener", lambda: self)

    def open(self, notebook: Path, name: str) -> None:
        self.opened.append(notebook)


def test_without_code_the_page_is_opened_again_with_the_values(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = StaffView(monkeypatch)
    stage = begin("02_segmentation", {"case_dir": str(case.root)})
    box = views.panel(stage)
    assert isinstance(box, ipywidgets.VBox)
    fields_of(box)["components"].value = 2
    button, answer, _ = box.children[-3:]
    stage.left_open["the mask"] = "1 strokes"
    button.click()
    assert "not drawn yet. Found: set and not used yet: the mask: 1 strokes" in answer.value
    assert not shown.opened
    del stage.left_open["the mask"]
    button.click()
    (page,) = shown.opened
    assert page.parent == case.evidence / "by-hand"

    again = begin("02_segmentation", {"case_dir": str(case.root)})
    box = views.panel(again)
    assert isinstance(box, ipywidgets.VBox)
    assert again.parameters.components == 2
    assert fields_of(box)["components"].value == 2
    assert "Set here and not accepted yet: components = 2." in box.children[-2].value
