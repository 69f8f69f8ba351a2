"""PrusaSlicer's settings, made from the profiles, and whether it followed them."""

import hashlib
import math
import re
from pathlib import Path

from labkit.equipment import MaterialProfile, PrinterProfile, QualityProfile
from labkit.equipment import quality as standard_quality
from labkit.errors import SlicingError, ToolError

FIRST_LAYER_MM = 0.2
"""A thinner first layer shows every unevenness of the bed."""

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
    quality: QualityProfile | None = None,
    *,
    layer_height_mm: float | None = None,
    infill_percent: int | None = None,
    supports: bool = False,
    labels: bool = False,
) -> dict[str, str]:
    """PrusaSlicer's ini as ``{key: value}``; the same for the same profiles and choices.

    Classic perimeters unless the quality says otherwise, since those of Arachne differ
    from run to run.

    Parameters
    ----------
    quality : left out, the kit's ``standard``.
    layer_height_mm, infill_percent : left out, those of the quality.
    labels : comments that say which object a line belongs to, so that a server can
        cancel one of several.

    Raises
    ------
    SlicingError
        A layer higher than the nozzle is wide, or no layer at all; infill outside 0
        to 100 %; a material hotter than the printer bears.
    """
    quality = quality or standard_quality("standard")
    height = quality.layer_height_mm if layer_height_mm is None else layer_height_mm
    infill = quality.infill_percent if infill_percent is None else infill_percent
    _check(printer, material, height, infill)
    values: dict[str, str | int | float] = {
        **dict.fromkeys(_KEPT_EMPTY, ""),
        **_of_printer(printer),
        **_of_material(material, printer),
        **_of_quality(quality, printer, height, infill),
        "support_material": int(supports),
        **({"gcode_label_objects": 1} if labels else {}),
        **printer.prusaslicer,
        **material.prusaslicer,
        **quality.prusaslicer,
    }
    return {
        key: value if isinstance(value, str) else f"{value:g}"
        for key, value in sorted(values.items())
    }


def _of_printer(printer: PrinterProfile) -> dict[str, str | int | float]:
    (x0, y0), (x1, y1) = printer.bed_min_mm, printer.bed_max_mm
    corners = (x0, y0), (x1, y0), (x1, y1), (x0, y1)
    fastest = printer.max_feed_xy_mm_min / 60
    limits: dict[str, float | None] = {
        "feedrate_x": fastest,
        "feedrate_y": fastest,
        "feedrate_z": printer.max_feed_z_mm_min / 60,
        "feedrate_e": printer.max_feed_e_mm_min and printer.max_feed_e_mm_min / 60,
        "acceleration_x": printer.acceleration_mm_s2,
        "acceleration_y": printer.acceleration_mm_s2,
        "acceleration_z": printer.acceleration_z_mm_s2,
        "acceleration_e": printer.acceleration_e_mm_s2,
        "acceleration_extruding": printer.acceleration_mm_s2,
        "acceleration_travel": printer.acceleration_mm_s2,
        "jerk_x": printer.jerk_xy_mm_s,
        "jerk_y": printer.jerk_xy_mm_s,
        "jerk_z": printer.jerk_z_mm_s,
        "jerk_e": printer.jerk_e_mm_s,
    }
    return {
        "printer_technology": "FFF",
        "gcode_flavor": printer.firmware,
        "bed_shape": ",".join(f"{x:g}x{y:g}" for x, y in corners),
        "max_print_height": printer.volume_max_mm[2],
        "nozzle_diameter": printer.nozzle_mm,
        "start_gcode": _one_line(printer.start_gcode),
        "end_gcode": _one_line(printer.end_gcode),
        "machine_limits_usage": "time_estimate_only",
        **{f"machine_max_{key}": f"{v:g},{v:g}" for key, v in limits.items() if v is not None},
        "use_relative_e_distances": 1,
        "before_layer_gcode": "G92 E0",
        "retract_length": printer.retraction_mm,
        "retract_speed": printer.retraction_mm_s,
    }


def _of_material(
    material: MaterialProfile, printer: PrinterProfile
) -> dict[str, str | int | float]:
    return {
        "filament_type": material.polymer or material.name,
        "filament_diameter": material.filament_diameter_mm,
        "filament_density": material.density_g_cm3,
        "filament_cost": material.price_eur_per_kg or 0,
        "filament_max_volumetric_speed": min(
            printer.max_flow_mm3_s, material.max_flow_mm3_s or printer.max_flow_mm3_s
        ),
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
    }


def _of_quality(
    quality: QualityProfile, printer: PrinterProfile, height_mm: float, infill_percent: int
) -> dict[str, str | int | float]:
    fastest = printer.max_feed_xy_mm_min / 60
    asked = quality.speeds_mm_s
    speeds = {
        "external_perimeter_speed": asked.external_perimeter,
        "perimeter_speed": asked.perimeter,
        "small_perimeter_speed": asked.small_perimeter,
        "infill_speed": asked.infill,
        "solid_infill_speed": asked.solid_infill,
        "top_solid_infill_speed": asked.top_solid_infill,
        "bridge_speed": asked.bridge,
        "gap_fill_speed": asked.gap_fill,
        "support_material_speed": asked.support,
        "first_layer_speed": asked.first_layer,
        "travel_speed": asked.travel,
        "max_print_speed": max(asked.infill, asked.perimeter, asked.solid_infill),
    }
    width = quality.line_width_mm or round(1.125 * printer.nozzle_mm, 3)
    widths = {
        "": width,
        "first_layer_": quality.first_layer_line_width_mm or width,
        "perimeter_": width,
        "external_perimeter_": quality.external_line_width_mm or width,
        "infill_": quality.infill_line_width_mm or width,
        "solid_infill_": width,
        "top_infill_": width,
    }
    shells = max(3, math.ceil(quality.shell_mm / height_mm - 1e-9))
    first_mm = quality.first_layer_height_mm or max(height_mm, FIRST_LAYER_MM)
    return {
        "perimeter_generator": quality.perimeter_generator,
        "layer_height": height_mm,
        "first_layer_height": min(first_mm, printer.nozzle_mm),
        "perimeters": quality.perimeters,
        "thin_walls": int(quality.thin_walls),
        "top_solid_layers": shells,
        "bottom_solid_layers": shells,
        "fill_density": f"{infill_percent}%",
        "fill_pattern": quality.infill_pattern if infill_percent < 100 else "rectilinear",
        "seam_position": quality.seam,
        "skirts": quality.skirts,
        "brim_width": quality.brim_mm,
        "elefant_foot_compensation": quality.elephant_foot_mm,
        "support_material_style": quality.support_style,
        "support_material_threshold": quality.support_angle_deg,
        **{f"{name}extrusion_width": value for name, value in widths.items()},
        **{key: f"{min(speed, fastest):g}" for key, speed in speeds.items()},
        "travel_speed_z": printer.max_feed_z_mm_min / 60,
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
