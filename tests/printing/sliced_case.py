"""A case that has come as far as its G-code, in an instant."""

import json
from pathlib import Path

from labkit import equipment
from labkit.case import RESULT_SCHEMA, Case, Order, Result, now
from labkit.files import sha256_of

from .gcode import write_gcode


def sliced_case(folder: Path, code: str, *, dwells: int = 0, profile: str = "practice") -> Case:
    """The case, with ``04_slicing`` as its notebook leaves it."""
    order = Order(
        case=code,
        patient_code="P-1",
        anatomy="distal radius",
        laterality="right",
        requested_by="course leader",
        practice=True,
    )
    case = Case.create(folder, order)
    place = case.stage_in_work("04_slicing")
    gcode = write_gcode(place / "part.gcode", dwells=dwells)
    gcode.write_text(f"; {code}\n{gcode.read_text()}")
    size, material = gcode.stat().st_size, equipment.material("PLA")
    about = {
        "sha256": sha256_of(gcode),
        "profiles": {each.name: each.sha256 for each in (equipment.printer(profile), material)},
        **{"slicer": "PrusaSlicer 2.5.0", "layers": 2, "lines": 150, "height_mm": 0.6},
        **{"time_s": 30.0, "mass_g": 1.0, "filament_mm": 100.0},
        "bounds_mm": [[10.0, 20.0, 0.0], [99.0, 89.0, 1.0]],
        **{"hotend_c": [210.0], "bed_c": [60.0]},
    }
    index = {
        "offset_bytes": [size // 4, size // 2],
        "z_mm": [0.3, 0.6],
        "time_s": [10.0, 20.0],
    }
    told = {**about, "layer_index": index, **material.watched}
    (place / "gcode.json").write_text(json.dumps(told))
    result = Result(
        schema=RESULT_SCHEMA,
        case=code,
        stage="04_slicing",
        revision=1,
        started=now(),
        finished=now(),
        operator="tester",
        mode="replay",
        verdict="pass",
        checks=[],
        metrics={},
        details=about,
        warnings=[],
        caveats=[],
        tools={},
        parameters={"printer": profile, "material": "PLA", "quality": "standard"},
        notebook={"name": "04_slicing.ipynb", "sha256": "0" * 64},
        inputs={},
        outputs={},
    )
    (place / "result.json").write_text(result.model_dump_json(by_alias=True))
    case.publish(place, "04_slicing")
    return case
