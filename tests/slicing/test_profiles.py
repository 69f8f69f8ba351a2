from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from labkit.errors import SlicingError
from labkit.slicing import profiles


def _own(tmp_path: Path, kind: str, name: str, text: str) -> None:
    folder = tmp_path / "home" / "profiles" / kind
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_every_profile_of_the_kit_is_valid() -> None:
    assert set(profiles.known("printers")) == {"practice"}
    assert set(profiles.known("materials")) == {"PETG", "PLA"}
    for name in profiles.known("printers"):
        assert profiles.printer(name).name == name
    for name in profiles.known("materials"):
        assert profiles.material(name).name == name


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(SlicingError) as caught:
        profiles.material("plastic")
    assert "PETG, PLA" in caught.value.expected


def test_a_name_is_not_a_path() -> None:
    with pytest.raises(SlicingError):
        profiles.printer("../printers/practice")


def test_the_labs_own_profile_wins_and_changes_the_hash(tmp_path: Path) -> None:
    kits = profiles.material("PLA")
    content = yaml.safe_load(profiles.known("materials")["PLA"].read_text(encoding="utf-8"))
    _own(tmp_path, "materials", "PLA", yaml.safe_dump(content | {"hotend_c": 205}))
    own = profiles.material("PLA")
    assert (own.hotend_c, kits.hotend_c) == (205, 210)
    assert own.sha256 != kits.sha256


def test_the_hash_does_not_depend_on_layout(tmp_path: Path) -> None:
    before = profiles.material("PLA").sha256
    content = yaml.safe_load(profiles.known("materials")["PLA"].read_text(encoding="utf-8"))
    turned = dict(reversed(content.items()))
    _own(tmp_path, "materials", "PLA", "# a comment\n" + yaml.safe_dump(turned, sort_keys=False))
    assert profiles.material("PLA").sha256 == before


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
    content = yaml.safe_load(profiles.known("materials")["PLA"].read_text(encoding="utf-8"))
    _own(tmp_path, "materials", "PLA", yaml.safe_dump(content | change))
    with pytest.raises(SlicingError) as caught:
        profiles.material("PLA")
    assert words in caught.value.found


def test_not_yaml_is_refused(tmp_path: Path) -> None:
    _own(tmp_path, "printers", "odd", "name: [unclosed")
    with pytest.raises(SlicingError) as caught:
        profiles.printer("odd")
    assert "YAML" in caught.value.found


def test_profiles_are_frozen(pla: profiles.MaterialProfile) -> None:
    with pytest.raises(ValidationError):
        pla.hotend_c = 300


def test_a_box_turned_over_is_refused(printer: profiles.PrinterProfile) -> None:
    content = printer.model_dump() | {"bed_max_mm": (-1, 210)}
    with pytest.raises(ValidationError, match="not above the smallest"):
        profiles.PrinterProfile.model_validate(content)
