import json
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import CaseError
from labkit.printing.plan import Plan
from labkit.printing.servers.messages import Heater

PLAN = Plan(
    offset_bytes=(100, 500, 900),
    z_mm=(0.3, 0.6, 0.9),
    time_s=(10.0, 20.0, 30.0),
    planned_s=65.0,
    hotend_c=(190.0, 230.0),
    bed_c=(45.0, 70.0),
)


@pytest.mark.parametrize(
    ("filepos", "layer", "words"),
    [
        (0, 0, "before layer 1 of 3"),
        (99, 0, "before layer 1 of 3"),
        (100, 1, "layer 1 of 3, 0.30 mm"),
        (899, 2, "layer 2 of 3, 0.60 mm"),
        (900, 3, "layer 3 of 3, 0.90 mm"),
        (10**9, 3, "layer 3 of 3, 0.90 mm"),
    ],
)
def test_layer_by_byte(filepos: int, layer: int, words: str) -> None:
    assert PLAN.layer_at(filepos) == layer
    assert PLAN.place(filepos) == words


def test_time_left_follows_how_the_print_compares_with_its_plan() -> None:
    assert PLAN.left_s(0, None) == 60.0
    assert PLAN.left_s(500, None) == 50.0
    assert PLAN.left_s(500, 30.0) == 100.0  # 15 s were planned so far
    assert PLAN.left_s(900, 7.0) == 6.0


@pytest.mark.parametrize(
    ("heater", "words"),
    [
        (Heater("tool0", 210.0, 215.0), ""),
        (Heater("tool0", 189.0, 215.0), "tool0 is at 189 °C, outside the material's 190 to 230 °C"),
        (Heater("extruder", 231.4, 215.0), "extruder is at 231 °C"),
        (Heater("bed", 80.0, 60.0), "bed is at 80 °C, outside the material's 45 to 70 °C"),
        (Heater("tool0", 60.0, 0.0), ""),  # switched off
    ],
)
def test_temperature_outside_the_material(heater: Heater, words: str) -> None:
    found = PLAN.outside(heater)
    assert found.startswith(words) and bool(found) == bool(words)


def told(**changed: Any) -> dict[str, Any]:
    return {
        "layer_index": {"offset_bytes": [100, 500], "z_mm": [0.3, 0.6], "time_s": [1.0, 2.0]},
        "window_c": {"hotend": [190, 230], "bed": [45, 70]},
        "time_s": 4.0,
        "lot_required": True,
        **changed,
    }


def test_reads_what_slicing_wrote(tmp_path: Path) -> None:
    path = tmp_path / "gcode.json"
    path.write_text(json.dumps(told()))
    plan = Plan.read(path)
    assert (len(plan), plan.planned_s, plan.hotend_c, plan.lot_required) == (
        2,
        4.0,
        (190, 230),
        True,
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps(told(layer_index=None)), json.dumps(told(window_c={}))]
)
def test_without_an_index_it_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gcode.json"
    path.write_text(text)
    with pytest.raises(CaseError, match="run stage 04_slicing again"):
        Plan.read(path)
