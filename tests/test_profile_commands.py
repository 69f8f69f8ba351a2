import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit import equipment
from labkit.cli import main

CONFIG = """printer_settings_id = bench
gcode_flavor = marlin2
nozzle_diameter = 0.4
bed_shape = 0x0,200x0,200x200,0x200
max_print_height = 180
start_gcode = G28\\nM500\\n
end_gcode = M84
filament_settings_id = own
filament_type = PLA
filament_diameter = 1.75
filament_density = 1.24
temperature = 210
first_layer_temperature = 215
bed_temperature = 60
first_layer_bed_temperature = 60
print_settings_id = usual
layer_height = 0.2
post_process = /bin/true
complete_objects = 0
"""

Command = Any


@pytest.fixture
def command(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """``command(*words)``: exit code, stdout, stderr of ``labkit profiles …``."""

    def command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["profiles", *words])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.ini"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_the_list_names_all_of_kit_and_lab(command: Command, lab_home: Path) -> None:
    code, out, _ = command("--json")
    rows = json.loads(out)["profiles"]
    names = {(row["kind"], row["name"], row["of"]) for row in rows}
    assert code == 0
    assert ("printer", "practice", "kit") in names and ("quality", "fine", "kit") in names
    assert len(rows) == sum(len(equipment.known(kind)) for kind in equipment.KINDS)
    practice = next(row for row in rows if row["name"] == "practice")
    assert equipment.printer("practice").sha256.startswith(practice["sha256"])
    own = lab_home / "profiles" / "materials"
    own.mkdir(parents=True)
    (own / "odd.yaml").write_text("name: odd", encoding="utf-8")
    _, out, _ = command()
    odd = next(line for line in out.splitlines() if " odd " in line)
    assert " lab " in odd and "not valid" in odd  # one faulty file hides no other
    assert "practice printer" in out


def test_a_profile_is_shown_with_file_and_hash(command: Command) -> None:
    code, out, _ = command("show", "material", "PC", "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["sha256"] == equipment.material("PC").sha256
    assert shown["profile"]["sterilisation"]["steam_121_c"]["verdict"] == "not suitable"
    assert yaml.safe_load(Path(shown["file"]).read_text(encoding="utf-8"))["name"] == "PC"
    _, out, _ = command("show", "printer", "MK3S")
    assert "max_hotend_c" in out and equipment.printer("MK3S").sha256 in out


@pytest.mark.parametrize(
    "words", [("show", "printer", "nowhere"), ("show", "spool", "PLA"), ("import", "nowhere.ini")]
)
def test_what_is_not_there_ends_with_2_and_words(command: Command, words: tuple[str, ...]) -> None:
    code, _, said = command(*words)
    assert code == 2 and said.startswith("Found: ") and "Traceback" not in said


def test_a_configuration_is_imported_and_said(command: Command, config: Path) -> None:
    code, out, _ = command("import", str(config), "--max-hotend-c", "260", "--max-bed-c", "100")
    assert code == 0
    assert "refused, they run or reach something: post_process" in out
    assert "not taken: complete_objects" in out
    assert "M500, which the gate refuses" in out
    printer = equipment.printer("bench")
    assert (printer.max_hotend_c, printer.room_mm) == (260, (200, 200, 180))
    assert equipment.material("own").polymer == "PLA"
    assert equipment.quality("usual").layer_height_mm == 0.2


def test_importing_again_needs_a_word(command: Command, config: Path) -> None:
    assert command("import", str(config), "--printer", "other")[0] == 0
    code, out, said = command("import", str(config), "--printer", "other", "--json")
    assert code == 2 and "there is a profile other" in said
    assert json.loads(out)["error"]["type"] == "EquipmentError"
    code, out, _ = command("import", str(config), "--printer", "other", "--replace", "--json")
    told = json.loads(out)
    assert code == 0 and told["refused"] == ["post_process"]
    assert told["profiles"] == {"printers": "other", "materials": "own", "qualities": "usual"}
    assert all(Path(file).is_file() for file in told["files"])
