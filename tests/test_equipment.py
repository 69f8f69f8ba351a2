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
    assert set(equipment.known("printers")) == {"Ender-3", "MK3S", "practice"}
    assert set(equipment.known("materials")) == {"ABS", "PC", "PETG", "PLA", "TPU95A"}
    assert set(equipment.known("qualities")) == {"fine", "standard", "strong"}
    for kind in equipment.KINDS:
        for name in equipment.known(kind):
            profile = equipment.profile(kind, name)
            assert profile.name == name and profile.description
            assert isinstance(profile, equipment.KINDS[kind])
    for name in equipment.known("printers"):
        assert equipment.printer(name) == equipment.profile("printers", name)


def test_what_the_kit_says_of_materials_has_a_source() -> None:
    for name in equipment.known("materials"):
        material = equipment.material(name)
        assert material.price_eur_per_kg is None  # of the lab's own contract
        for _, told in material.sterilisation:
            assert told.verdict == "not known" or len(told.source) > 10
        if material.co2e_kg_per_kg is not None:
            assert "doi" in material.co2e_source


def test_published_findings_on_sterilisation_are_kept() -> None:
    """PC after the autoclave 3.6 mm off; peroxide keeps PETG, PC and ABS, but not PLA."""
    verdicts = {
        name: equipment.material(name).sterilisation.hydrogen_peroxide.verdict
        for name in ("PETG", "PC", "ABS", "PLA", "TPU95A")
    }
    assert verdicts == {
        **dict.fromkeys(("PETG", "PC", "ABS"), "suitable"),
        **{"PLA": "not suitable", "TPU95A": "not known"},
    }
    assert equipment.material("PC").sterilisation.steam_134_c.verdict == "not suitable"
    assert equipment.material("PETG").sterilisation.gamma.verdict == "not known"


def test_a_verdict_or_a_footprint_without_a_source_is_refused() -> None:
    content = equipment.material("PLA").model_dump()
    for change in (
        {"sterilisation": {"gamma": {"verdict": "suitable"}}},
        {"sterilisation": {"boiling": {"verdict": "not known"}}},
        {"sterilisation": {"gamma": {"verdict": "perhaps", "source": "me"}}},
        {"co2e_kg_per_kg": 1.0, "co2e_source": ""},
        {"lot_required": "maybe"},
    ):
        with pytest.raises(ValidationError):
            equipment.MaterialProfile.model_validate(content | change)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(EquipmentError) as caught:
        equipment.material("plastic")
    assert "ABS, PC, PETG, PLA, TPU95A" in caught.value.expected
    with pytest.raises(EquipmentError) as caught:
        equipment.quality("best")
    assert "fine, standard, strong" in caught.value.expected


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


def test_a_quality_of_the_lab_s_own_is_found(tmp_path: Path) -> None:
    own = {"name": "own", "version": "7", "layer_height_mm": 0.1, "infill_percent": 100}
    _own(tmp_path, "qualities", "own", yaml.safe_dump(own | {"speeds_mm_s": {"infill": 45}}))
    quality = equipment.quality("own")
    assert (quality.version, quality.infill_percent) == ("7", 100)
    assert (quality.speeds_mm_s.infill, quality.speeds_mm_s.travel) == (45, 150)


def test_the_largest_part_is_bed_and_height() -> None:
    assert equipment.printer("MK3S").room_mm == (250, 210, 210)
    assert equipment.printer("Ender-3").room_mm == (220, 220, 250)


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
