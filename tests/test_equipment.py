from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from labkit import equipment
from labkit.errors import EquipmentError


@pytest.fixture(autouse=True)
def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))


def _own(tmp_path: Path, kind: str, name: str, text: str) -> None:
    folder = tmp_path / "home" / "profiles" / kind
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_every_profile_of_the_kit_is_valid() -> None:
    assert set(equipment.known("printers")) == {"practice"}
    assert set(equipment.known("materials")) == {"PETG", "PLA"}
    for name in equipment.known("printers"):
        assert equipment.printer(name).name == name
    for name in equipment.known("materials"):
        assert equipment.material(name).name == name


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(EquipmentError) as caught:
        equipment.material("plastic")
    assert "PETG, PLA" in caught.value.expected


def test_a_name_is_not_a_path() -> None:
    with pytest.raises(EquipmentError):
        equipment.printer("../printers/practice")


def test_the_labs_own_profile_wins_and_changes_the_hash(tmp_path: Path) -> None:
    kits = equipment.material("PLA")
    content = yaml.safe_load(equipment.known("materials")["PLA"].read_text(encoding="utf-8"))
    _own(tmp_path, "materials", "PLA", yaml.safe_dump(content | {"hotend_c": 205}))
    own = equipment.material("PLA")
    assert (own.hotend_c, kits.hotend_c) == (205, 210)
    assert own.sha256 != kits.sha256


def test_the_hash_does_not_depend_on_layout(tmp_path: Path) -> None:
    before = equipment.material("PLA").sha256
    content = yaml.safe_load(equipment.known("materials")["PLA"].read_text(encoding="utf-8"))
    turned = dict(reversed(content.items()))
    _own(tmp_path, "materials", "PLA", "# a comment\n" + yaml.safe_dump(turned, sort_keys=False))
    assert equipment.material("PLA").sha256 == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hotend_c": 400}, "outside"),
        ({"hotend_max_c": "warm"}, "hotend_max_c"),
        ({"density_g_cm3": float("nan")}, "density_g_cm3"),
        ({"colour": "red"}, "colour"),
        ({"name": "PETG"}, "calls itself"),
    ],
)
def test_a_wrong_profile_is_refused_by_field(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    content = yaml.safe_load(equipment.known("materials")["PLA"].read_text(encoding="utf-8"))
    _own(tmp_path, "materials", "PLA", yaml.safe_dump(content | change))
    with pytest.raises(EquipmentError) as caught:
        equipment.material("PLA")
    assert words in caught.value.found


def test_not_yaml_is_refused(tmp_path: Path) -> None:
    _own(tmp_path, "printers", "odd", "name: [unclosed")
    with pytest.raises(EquipmentError) as caught:
        equipment.printer("odd")
    assert "YAML" in caught.value.found


def test_profiles_are_frozen() -> None:
    with pytest.raises(ValidationError):
        equipment.material("PLA").hotend_c = 300


def test_a_box_turned_over_is_refused() -> None:
    content = equipment.printer("practice").model_dump() | {"bed_max_mm": (-1, 210)}
    with pytest.raises(ValidationError, match="not above the smallest"):
        equipment.PrinterProfile.model_validate(content)


def test_walls_gaps_and_pins_follow_the_nozzle_where_the_profile_does_not_say() -> None:
    content = equipment.printer("practice").model_dump()
    assert equipment.printer("practice").wall_mm == 0.8
    unsaid = {"min_wall_mm": None, "min_gap_mm": None, "min_feature_mm": None, "nozzle_mm": 0.6}
    printer = equipment.PrinterProfile.model_validate(content | unsaid)
    assert (printer.wall_mm, printer.gap_mm) == (1.2, 0.6)
    assert printer.feature_mm == pytest.approx(1.8)
    with pytest.raises(ValidationError, match="min_wall_mm"):
        equipment.PrinterProfile.model_validate(content | {"min_wall_mm": 0})
