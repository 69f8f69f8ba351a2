"""What the settings of a PrusaSlicer preset are in the kit's profiles, field by field."""

import contextlib
import math
import re
from collections.abc import Mapping
from typing import Any, get_args

from labkit import equipment
from labkit.equipment import QualityProfile
from labkit.errors import EquipmentError
from labkit.slicing.commands import ALLOWED, FORBIDDEN, WATCHED
from labkit.slicing.prusa_presets.presets import Preset, unquoted

_LIMITS_UNSAID = {
    "machine_max_feedrate_x": "500",
    "machine_max_feedrate_y": "500",
    "machine_max_feedrate_z": "12",
    "machine_max_acceleration_x": "9000",
    "machine_max_acceleration_y": "9000",
}
"""PrusaSlicer's own where a preset says nothing (``prusa-slicer --help-fff``, 2.5.0)."""

_READABLE = re.compile(
    # placeholders are PrusaSlicer's to fill in, texts the display's to show
    r".*[\[{].*|M(117|118|862\.3)\b.*|[GMT]\d+(\.\d+)?( *[A-Z](-?\d*\.?\d+)?)*"
)


class Settings:
    """A preset that remembers which of its settings were asked for."""

    def __init__(self, preset: Preset, where: str = "") -> None:
        self.preset, self.where = preset, where
        self.asked: set[str] = set()
        self.notes: list[str] = []

    def text(self, key: str, otherwise: str = "") -> str:
        """A setting as it is written."""
        self.asked.add(key)
        return self.preset.get(key, otherwise)

    def number(self, key: str, otherwise: str | None = None) -> float | None:
        """The first value of a setting; None where there is none, or a share of another."""
        return _finite(self.text(key, otherwise or "").split(",")[0])

    def share(self, key: str, otherwise: str = "") -> float | None:
        """A setting in per cent; None where it is none."""
        said = self.text(key, otherwise).strip()
        return _finite(said.removesuffix("%")) if said.endswith("%") else None

    def positive(self, key: str) -> float | None:
        """The first value of a setting if it is above 0, which PrusaSlicer takes for unset."""
        value = self.number(key)
        return value if value and value > 0 else None

    def refused(self, found: str, expected: str) -> EquipmentError:
        """Why no profile can be made of this preset."""
        return EquipmentError(found, expected=expected, where=self.where, fix="take another preset")


def printer_values(
    settings: Settings, filament: Preset, limits: Mapping[str, float | None]
) -> dict[str, Any]:
    """The fields of a printer; ``filament`` tells flow and heat, where ``limits`` do not.

    Raises
    ------
    EquipmentError
        Not for filament, not for Marlin, more than one extruder, or a bed that is round.
    """
    if settings.preset.get("printer_technology", "FFF") != "FFF":
        raise settings.refused("a printer that is not for filament", "a printer with one extruder")
    flavour = settings.text("gcode_flavor", "marlin")
    if flavour not in ("marlin", "marlin2"):
        raise settings.refused(
            f"a printer for {flavour} G-code", "Marlin, which is all the gate reads"
        )
    if "," in settings.text("nozzle_diameter"):
        raise settings.refused("a printer with several extruders", "a printer with one extruder")
    low, high = _rectangle(settings)
    height = settings.positive("max_print_height")
    hottest: dict[str, float] = {}
    for key, of in (("max_hotend_c", "temperature"), ("max_bed_c", "bed_temperature")):
        told = [Settings(filament).number(name) for name in (of, f"first_layer_{of}")]
        given = limits[key]
        hottest[key] = max([value or 0.0 for value in told]) if given is None else given
        if given is None:
            settings.notes.append(
                f"{key} = {hottest[key]:g} is the hottest of its filament: PrusaSlicer does not "
                "know what the printer bears; put the maker's value there"
            )
    for key, value in _LIMITS_UNSAID.items():
        if key not in settings.preset:
            settings.notes.append(f"{key} is not in the file: PrusaSlicer's own {value}")

    def limit(name: str) -> float | None:
        return settings.number(f"machine_max_{name}", _LIMITS_UNSAID.get(f"machine_max_{name}"))

    def slowest(*names: str) -> float | None:
        return min((value for name in names if (value := limit(name))), default=None)

    flow = Settings(filament).positive("filament_max_volumetric_speed")
    if flow is None:
        flow = 8.0
        settings.notes.append("max_flow_mm3_s = 8 is the kit's: the file states none")
    codes = {}
    for key in ("start_gcode", "end_gcode"):
        code = unquoted(settings.text(key)).replace(
            "[printer_model]", settings.preset.get("printer_model", "")
        )
        codes[key] = code.strip("\n") + "\n"
        settings.notes += _doubts(key, code) + _strays(key, code, low, high)
    feeds = {"xy": slowest("feedrate_x", "feedrate_y"), "z": limit("feedrate_z")}
    content = {
        "firmware": flavour,
        "bed_min_mm": low,
        "bed_max_mm": high,
        "volume_min_mm": (*low, 0.0),
        "volume_max_mm": (*high, height),
        "nozzle_mm": settings.positive("nozzle_diameter"),
        "max_feed_xy_mm_min": feeds["xy"] and feeds["xy"] * 60,
        "max_feed_z_mm_min": feeds["z"] and feeds["z"] * 60,
        "max_feed_e_mm_min": (limit("feedrate_e") or 0) * 60 or None,
        "max_flow_mm3_s": flow,
        "acceleration_mm_s2": slowest("acceleration_x", "acceleration_y", "acceleration_extruding"),
        "acceleration_z_mm_s2": limit("acceleration_z"),
        "acceleration_e_mm_s2": limit("acceleration_e"),
        "jerk_xy_mm_s": slowest("jerk_x", "jerk_y"),
        "jerk_z_mm_s": limit("jerk_z") or None,
        "jerk_e_mm_s": limit("jerk_e") or None,
        "retraction_mm": settings.number("retract_length", "2"),
        "retraction_mm_s": settings.number("retract_speed", "40"),
        **hottest,
        **codes,
    }
    return content


def material_values(settings: Settings) -> dict[str, Any]:
    """The fields of a material.

    Raises
    ------
    EquipmentError
        It has no temperatures.
    """
    hot = [settings.number(key) for key in ("temperature", "first_layer_temperature")]
    bed = [settings.number(key) for key in ("bed_temperature", "first_layer_bed_temperature")]
    if None in hot or None in bed:
        raise settings.refused("a filament without temperatures", "nozzle and bed temperatures")
    polymer = re.sub(r"[^A-Za-z0-9 ._+-]", "", unquoted(settings.text("filament_type")))[:32]
    content: dict[str, Any] = {
        "polymer": polymer,
        "filament_diameter_mm": settings.positive("filament_diameter"),
        "density_g_cm3": settings.positive("filament_density"),
        "hotend_c": hot[0],
        "hotend_first_layer_c": hot[1],
        "bed_c": bed[0],
        "bed_first_layer_c": bed[1],
        "fan_percent": settings.number("max_fan_speed", "0"),
        "max_flow_mm3_s": settings.positive("filament_max_volumetric_speed"),
    }
    if settings.preset.get("filament_cost", "0").strip('"0., '):
        settings.notes.append("filament_cost is left out: it does not say in which money")
    for part, chosen in (("hotend", hot), ("bed", bed)):
        low, high = _window(polymer, part, [value or 0.0 for value in chosen])
        content |= {f"{part}_min_c": low, f"{part}_max_c": high}
        settings.notes.append(
            f"{part} window {low:g} to {high:g} °C: PrusaSlicer knows none; put the one of "
            "the spool there"
        )
    return content


def quality_values(settings: Settings) -> dict[str, Any]:
    """The fields of a quality."""
    height = settings.positive("layer_height")
    layers = [settings.number(f"{side}_solid_layers", "3") or 0 for side in ("top", "bottom")]
    least = [settings.number(f"{side}_solid_min_thickness") or 0 for side in ("top", "bottom")]
    pattern, seam = settings.text("fill_pattern", "grid"), settings.text("seam_position", "aligned")
    generator = settings.text("perimeter_generator", "classic")
    style = settings.text("support_material_style", "snug")
    fields = QualityProfile.model_fields
    choices = {"infill_pattern": pattern, "seam": seam, "support_style": style}
    content: dict[str, Any] = {}
    for name, said in choices.items():
        if said in get_args(fields[name].annotation):
            content[name] = said
        else:
            settings.notes.append(f"{name} {said} is not one of the kit's: {fields[name].default}")
    if generator == "arachne":
        settings.notes.append("arachne walls: the G-code differs a little from run to run")
    density = settings.share("fill_density", "20%")
    widths = {
        "line_width_mm": "perimeter_extrusion_width",
        "external_line_width_mm": "external_perimeter_extrusion_width",
        "infill_line_width_mm": "infill_extrusion_width",
        "first_layer_line_width_mm": "first_layer_extrusion_width",
    }
    return content | {
        "layer_height_mm": height,
        "first_layer_height_mm": settings.positive("first_layer_height"),
        "infill_percent": None if density is None else round(density),
        "perimeters": round(settings.number("perimeters", "3") or 1),
        "shell_mm": round(max(min(layers) * (height or 0), *least), 4),
        "thin_walls": settings.text("thin_walls", "0") == "1" or generator == "classic",
        "perimeter_generator": generator,
        "elephant_foot_mm": settings.number("elefant_foot_compensation", "0"),
        "brim_mm": settings.number("brim_width", "0"),
        "skirts": round(settings.number("skirts", "0") or 0),
        "support_angle_deg": settings.number("support_material_threshold", "0"),
        "speeds_mm_s": _speeds(settings),
        **{name: settings.positive(key) for name, key in widths.items()},
    }


_SPEEDS = {
    # ours: PrusaSlicer's, and what a share of it is a share of
    "perimeter": ("perimeter_speed", ""),
    "external_perimeter": ("external_perimeter_speed", "perimeter"),
    "small_perimeter": ("small_perimeter_speed", "perimeter"),
    "infill": ("infill_speed", ""),
    "solid_infill": ("solid_infill_speed", "infill"),
    "top_solid_infill": ("top_solid_infill_speed", "solid_infill"),
    "bridge": ("bridge_speed", ""),
    "gap_fill": ("gap_fill_speed", ""),
    "support": ("support_material_speed", ""),
    "first_layer": ("first_layer_speed", ""),
    "travel": ("travel_speed", ""),
}


def _speeds(settings: Settings) -> dict[str, float]:
    speeds: dict[str, float] = {}
    for name, (key, base) in _SPEEDS.items():
        value = settings.positive(key)
        share = settings.share(key)
        if share and base in speeds:
            value = speeds[base] * share / 100
        if value and value > 0:
            speeds[name] = value
    return speeds


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _rectangle(settings: Settings) -> tuple[tuple[float, float], tuple[float, float]]:
    shape = settings.text("bed_shape")
    xs: list[float] = []
    ys: list[float] = []
    with contextlib.suppress(ValueError):
        points = {(float(x), float(y)) for x, y in (each.split("x") for each in shape.split(","))}
        xs, ys = (sorted({point[axis] for point in points}) for axis in (0, 1))
    if not shape:
        raise settings.refused("a preset that does not state its bed_shape", "a whole preset")
    if shape.count(",") != 3 or len(xs) != 2 or len(ys) != 2:
        raise settings.refused(f"a bed that is no rectangle: {shape[:60]}", "a rectangular bed")
    return (xs[0], ys[0]), (xs[1], ys[1])


def _window(polymer: str, part: str, chosen: list[float]) -> tuple[float, float]:
    """The kit's window of that polymer where it holds the temperatures, else just those."""
    low, high = min(chosen), max(chosen)
    with contextlib.suppress(EquipmentError):
        kits = equipment.material(polymer).model_dump()
        if kits[f"{part}_min_c"] <= low and high <= kits[f"{part}_max_c"]:
            return kits[f"{part}_min_c"], kits[f"{part}_max_c"]
    return low, high


def _doubts(key: str, code: str) -> list[str]:
    """What the gate will say of start and end G-code."""
    names = dict.fromkeys(re.findall(r"^\s*([GM]\d+(?:\.\d+)?)\b", code, re.MULTILINE))
    doubts = []
    for name in names:
        if name in FORBIDDEN:
            doubts.append(f"{key} holds {name}, which the gate refuses: it {FORBIDDEN[name]}")
        elif name not in ALLOWED and name not in WATCHED and name not in ("G0", "G1"):
            doubts.append(f"{key} holds {name}, which the gate does not know and refuses")
    for line in code.splitlines():
        command = line.partition(";")[0].strip()
        if re.match(r"[GM]\d", command) and not _READABLE.fullmatch(command):
            doubts.append(f"{key} holds {command[:40]}, which the gate cannot read and refuses")
    return doubts


def _strays(key: str, code: str, low: tuple[float, float], high: tuple[float, float]) -> list[str]:
    """Where start and end G-code leave the bed: often to a strip that only the nozzle reaches."""
    strays = dict.fromkeys(
        f"{key} goes to {axis}{said}, outside the bed: where the printer can do that, widen "
        "volume_min_mm or volume_max_mm"
        for line in re.findall(r"^\s*G[01]\b[^;\n]*", code, re.MULTILINE)
        for axis, said in re.findall(r"([XY])(-?\d+(?:\.\d+)?)", line)
        if not low["XY".index(axis)] <= float(said) <= high["XY".index(axis)]
    )
    return list(strays)
