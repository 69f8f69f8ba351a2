"""PrusaSlicer's settings, made from the profiles, and whether it followed them."""

import hashlib
import math
import re
from pathlib import Path

from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import SlicingError, ToolError

WALL_MM = 0.8
"""Thickness of the closed top and bottom."""

_KEPT_EMPTY = (
    # programs that run after slicing (CVE-2023-47268) and the slicer's own upload
    *("post_process", "print_host", "printhost_apikey", "printhost_cafile"),
    *("printhost_user", "printhost_password"),
    # free text would carry names into the file
    *("notes", "printer_notes", "thumbnails"),
)
_EMPTY_TEXT = '""'
"""An empty list of texts instead makes 2.5.0 read memory that is not its own."""


def settings(
    printer: PrinterProfile,
    material: MaterialProfile,
    *,
    layer_height_mm: float,
    infill_percent: int,
    supports: bool,
) -> dict[str, str]:
    """PrusaSlicer's ini as ``{key: value}``; the same for the same profiles and choices.

    Classic perimeters, since those of Arachne differ from run to run.

    Raises
    ------
    SlicingError
        A layer higher than the nozzle is wide, or no layer at all; infill outside 0
        to 100 %; a material hotter than the printer bears.
    """
    _check(printer, material, layer_height_mm, infill_percent)
    (x0, y0), (x1, y1) = printer.bed_min_mm, printer.bed_max_mm
    corners = (x0, y0), (x1, y0), (x1, y1), (x0, y1)
    width_mm = round(1.125 * printer.nozzle_mm, 3)
    shells = max(3, math.ceil(WALL_MM / layer_height_mm - 1e-9))
    fastest = printer.max_feed_xy_mm_min / 60
    speeds = {
        "external_perimeter_speed": 30,
        "perimeter_speed": 45,
        "small_perimeter_speed": 25,
        "infill_speed": 80,
        "solid_infill_speed": 60,
        "top_solid_infill_speed": 40,
        "bridge_speed": 30,
        "gap_fill_speed": 30,
        "support_material_speed": 50,
        "first_layer_speed": 20,
        "travel_speed": 150,
        "max_print_speed": 80,
    }
    limits: dict[str, float] = {
        "machine_max_feedrate_x": fastest,
        "machine_max_feedrate_y": fastest,
        "machine_max_feedrate_z": printer.max_feed_z_mm_min / 60,
        "machine_max_acceleration_x": printer.acceleration_mm_s2,
        "machine_max_acceleration_y": printer.acceleration_mm_s2,
        "machine_max_acceleration_extruding": printer.acceleration_mm_s2,
        "machine_max_acceleration_travel": printer.acceleration_mm_s2,
    }
    values: dict[str, str | int | float] = {
        **dict.fromkeys(_KEPT_EMPTY, ""),
        # printer
        "printer_technology": "FFF",
        "gcode_flavor": printer.firmware,
        "bed_shape": ",".join(f"{x:g}x{y:g}" for x, y in corners),
        "max_print_height": printer.volume_max_mm[2],
        "nozzle_diameter": printer.nozzle_mm,
        "start_gcode": _one_line(printer.start_gcode),
        "end_gcode": _one_line(printer.end_gcode),
        "machine_limits_usage": "time_estimate_only",
        **{key: f"{value:g},{value:g}" for key, value in limits.items()},
        "use_relative_e_distances": 1,
        "before_layer_gcode": "G92 E0",
        "retract_length": 0.8,
        "retract_speed": 35,
        # material
        "filament_type": material.name,
        "filament_diameter": material.filament_diameter_mm,
        "filament_density": material.density_g_cm3,
        "filament_cost": material.price_eur_per_kg or 0,
        "filament_max_volumetric_speed": printer.max_flow_mm3_s,
        "filament_notes": _EMPTY_TEXT,
        "start_filament_gcode": _EMPTY_TEXT,
        "end_filament_gcode": _EMPTY_TEXT,
        "temperature": material.hotend_c,
        "first_layer_temperature": material.hotend_first_layer_c,
        "bed_temperature": material.bed_c,
        "first_layer_bed_temperature": material.bed_first_layer_c,
        "cooling": 1,
        "min_fan_speed": material.fan_percent,
        "max_fan_speed": material.fan_percent,
        "bridge_fan_speed": material.fan_percent,
        "disable_fan_first_layers": 1,
        # print
        "perimeter_generator": "classic",
        "layer_height": layer_height_mm,
        "first_layer_height": min(max(layer_height_mm, 0.2), printer.nozzle_mm),
        "perimeters": 2,
        "thin_walls": 1,  # else classic perimeters leave thin fins out without a word
        "top_solid_layers": shells,
        "bottom_solid_layers": shells,
        "fill_density": f"{infill_percent}%",
        "fill_pattern": "grid" if infill_percent < 100 else "rectilinear",
        "seam_position": "aligned",
        "skirts": 0,
        "brim_width": 0,
        "elefant_foot_compensation": 0,
        "support_material": int(supports),
        "support_material_style": "snug",
        "support_material_threshold": 45,
        **{
            f"{name}extrusion_width": width_mm
            for name in (
                *("", "first_layer_", "perimeter_", "external_perimeter_", "infill_"),
                *("solid_infill_", "top_infill_"),
            )
        },
        **{key: f"{min(speed, fastest):g}" for key, speed in speeds.items()},
        "travel_speed_z": printer.max_feed_z_mm_min / 60,
    }
    return {
        key: value if isinstance(value, str) else f"{value:g}"
        for key, value in sorted(values.items())
    }


def as_ini(values: dict[str, str]) -> str:
    """The settings as the text of an ini file."""
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def sha256_of_settings(values: dict[str, str]) -> str:
    """SHA-256 of the settings, for the record."""
    return hashlib.sha256(as_ini(values).encode()).hexdigest()


def check_followed(gcode: Path, values: dict[str, str]) -> None:
    """Compare the settings with those that PrusaSlicer wrote at the end of its file.

    Raises
    ------
    ToolError
        No such block, so that the file was cut off; or a setting was ignored or
        changed: PrusaSlicer ends with exit code 0 all the same.
    """
    with gcode.open("rb") as stream:
        stream.seek(max(0, gcode.stat().st_size - 200_000))
        tail = stream.read().decode("utf-8", "replace")
    block = re.search(
        r"^; prusaslicer_config = begin\n(.*?)^; prusaslicer_config = end", tail, re.M | re.S
    )
    if not block:
        raise ToolError(
            "the G-code ends before the slicer's settings: it was cut off",
            expected="the block prusaslicer_config at the end of the file",
            where="PrusaSlicer",
            fix="look for room on the disk and slice again",
        )
    lines = (line.removeprefix("; ").partition(" =") for line in block[1].splitlines())
    echo = dict.fromkeys(_KEPT_EMPTY, "")  # PrusaSlicer leaves some of them out
    echo |= {key: value.strip() for key, _, value in lines}
    wrong = [
        f"{key} = {echo.get(key, 'nothing')} instead of {value}"
        for key, value in values.items()
        if not _same(value, echo.get(key))
    ]
    if wrong:
        raise ToolError(
            f"PrusaSlicer did not follow the settings: {'; '.join(wrong)[:400]}",
            expected="the settings as given",
            where="PrusaSlicer",
            fix="use a version that `labkit doctor` lists as tried, and report this one",
        )


def _same(given: str, echoed: str | None) -> bool:
    if echoed is None:
        return False
    plain = echoed.strip('"').replace('\\"', '"')
    try:
        pairs = zip(given.split(","), plain.split(","), strict=True)
        return all(math.isclose(float(a), float(b), rel_tol=1e-6) for a, b in pairs)
    except ValueError:
        return given.strip('"') == plain


def _one_line(gcode: str) -> str:
    return gcode.rstrip("\n").replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")


def _check(
    printer: PrinterProfile, material: MaterialProfile, layer_height_mm: float, infill_percent: int
) -> None:
    hotend_c = max(material.hotend_c, material.hotend_first_layer_c)
    bed_c = max(material.bed_c, material.bed_first_layer_c)
    for wrong, found, expected in (
        (
            not 0 < layer_height_mm <= printer.nozzle_mm,
            f"a layer height of {layer_height_mm:g} mm",
            f"more than 0, at most the nozzle's {printer.nozzle_mm:g} mm",
        ),
        (not 0 <= infill_percent <= 100, f"an infill of {infill_percent} %", "0 to 100 %"),
        (
            hotend_c > printer.max_hotend_c,
            f"{material.name} at {hotend_c:g} °C in the hotend",
            f"at most the printer's {printer.max_hotend_c:g} °C",
        ),
        (
            bed_c > printer.max_bed_c,
            f"{material.name} at {bed_c:g} °C on the bed",
            f"at most the printer's {printer.max_bed_c:g} °C",
        ),
    ):
        if wrong:
            raise SlicingError(
                found,
                expected=expected,
                where=f"printer {printer.name}, material {material.name}",
                fix="choose a value in that range, or another profile",
            )
