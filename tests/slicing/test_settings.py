from pathlib import Path

import manifold3d
import pytest
import trimesh
from pydantic import ValidationError

from labkit import equipment
from labkit.equipment import MaterialProfile, PrinterProfile, QualityProfile
from labkit.errors import SlicingError
from labkit.slicing.gate import check_gcode
from labkit.slicing.gcode import read_gcode
from labkit.slicing.settings import settings
from labkit.slicing.slicer import slice_part

NEVER = ("post_process", "print_host", "printhost_apikey", "notes", "printer_notes", "thumbnails")


def test_the_standard_quality_is_what_was_used_before_there_were_qualities(
    printer: PrinterProfile, pla: MaterialProfile
) -> None:
    values = settings(printer, pla)
    assert settings(printer, pla, layer_height_mm=0.3, infill_percent=10) == values
    said = {
        **{"layer_height": "0.3", "first_layer_height": "0.3", "fill_density": "10%"},
        **{"perimeters": "2", "top_solid_layers": "3", "bottom_solid_layers": "3"},
        **{"fill_pattern": "grid", "seam_position": "aligned", "thin_walls": "1"},
        **{"extrusion_width": "0.45", "external_perimeter_extrusion_width": "0.45"},
        **{"external_perimeter_speed": "30", "travel_speed": "150", "max_print_speed": "80"},
        **{"retract_length": "0.8", "retract_speed": "35", "brim_width": "0", "skirts": "0"},
        **{"perimeter_generator": "classic", "support_material_threshold": "45"},
    }
    assert {key: values[key] for key in said} == said
    assert "gcode_label_objects" not in values
    assert not any(values[key] for key in NEVER)


def test_a_quality_is_followed(printer: PrinterProfile, pla: MaterialProfile) -> None:
    quality = QualityProfile(
        name="own",
        version="1",
        layer_height_mm=0.16,
        infill_percent=35,
        infill_pattern="cubic",
        perimeters=5,
        shell_mm=1.0,
        line_width_mm=0.5,
        external_line_width_mm=0.42,
        seam="rear",
        brim_mm=4,
        prusaslicer={"xy_size_compensation": "-0.05"},
    )
    values = settings(printer, pla, quality)
    assert (values["layer_height"], values["first_layer_height"]) == ("0.16", "0.2")
    assert (values["fill_density"], values["fill_pattern"]) == ("35%", "cubic")
    assert (values["perimeters"], values["top_solid_layers"]) == ("5", "7")  # 1.0 / 0.16, up
    widths = values["extrusion_width"], values["external_perimeter_extrusion_width"]
    assert widths == ("0.5", "0.42")
    assert (values["seam_position"], values["brim_width"]) == ("rear", "4")
    assert values["xy_size_compensation"] == "-0.05"


def test_choices_take_the_place_of_the_quality_s(
    printer: PrinterProfile, pla: MaterialProfile
) -> None:
    fine = equipment.quality("fine")
    values = settings(printer, pla, fine, layer_height_mm=0.25, infill_percent=0)
    assert (values["layer_height"], values["fill_density"]) == ("0.25", "0%")
    assert values["perimeters"] == settings(printer, pla, fine)["perimeters"] == "3"


def test_speeds_and_flow_stay_below_what_the_printer_and_the_filament_bear(
    printer: PrinterProfile, pla: MaterialProfile
) -> None:
    slow = printer.model_copy(update={"max_feed_xy_mm_min": 2400.0})
    values = settings(slow, pla)
    speeds = [float(value) for key, value in values.items() if key.endswith("_speed")]
    asked = ("external_perimeter_speed", "travel_speed", "infill_speed", "max_print_speed")
    assert [float(values[key]) for key in asked] == [30, 40, 40, 40]
    assert len(speeds) > 10
    thick = pla.model_copy(update={"max_flow_mm3_s": 3.0})
    assert settings(printer, thick)["filament_max_volumetric_speed"] == "3"
    assert settings(printer, pla)["filament_max_volumetric_speed"] == "11"


def test_limits_that_a_profile_does_not_state_are_left_to_the_slicer(
    printer: PrinterProfile, pla: MaterialProfile
) -> None:
    assert "machine_max_jerk_x" not in settings(printer, pla)
    values = settings(equipment.printer("Ender-3"), pla)
    assert values["machine_max_acceleration_z"] == "100,100"
    assert values["machine_max_jerk_e"] == "5,5"
    assert values["machine_max_feedrate_e"] == "25,25"


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("qualities", "post_process", "/bin/true"),
        ("qualities", "gcode_substitutions", "G1"),
        ("qualities", "infill_overlap", "25% ; x"),
        ("qualities", "infill_overlap", "25%\npost_process = x"),
        ("qualities", "top_fill_pattern", "../../x"),
        ("printers", "start_gcode", "M502"),
        ("printers", "wipe", "[layer_z]"),
        ("materials", "start_filament_gcode", "M500"),
        ("materials", "filament_notes", "name"),
    ],
)
def test_a_profile_keeps_no_setting_that_could_do_harm(
    kind: equipment.Kind, key: str, value: str
) -> None:
    name = next(iter(equipment.known(kind)))
    content = equipment.profile(kind, name).model_dump()
    with pytest.raises(ValidationError, match="is not a setting to keep here"):
        equipment.KINDS[kind].model_validate(content | {"prusaslicer": {key: value}})


def test_own_settings_never_overrule_what_must_stay_empty() -> None:
    kept = set().union(*(model.own_settings for model in equipment.KINDS.values()))
    assert not kept & set(NEVER)
    assert not any("gcode" in key and "resolution" not in key for key in kept)


@pytest.mark.parametrize(
    ("printer_name", "material_name"),
    [
        ("practice", "PETG"),
        ("practice", "TPU95A"),
        ("Ender-3", "PLA"),
        ("MK3S", "ABS"),
        ("MK3S", "PC"),
    ],
)
def test_what_the_kit_brings_is_sliced_and_passes_the_gate(
    tmp_path: Path, box_stl: Path, printer_name: str, material_name: str
) -> None:
    printer, material = equipment.printer(printer_name), equipment.material(material_name)
    gcode = tmp_path / "part.gcode"
    for quality in ("standard", "fine", "strong"):
        slice_part(
            box_stl, gcode, printer=printer, material=material, quality=equipment.quality(quality)
        )
        findings = check_gcode(gcode, printer, material)
        assert [finding for finding in findings if finding.severity == "block"] == []
        read = read_gcode(gcode, filament_diameter_mm=1.75, density_g_cm3=material.density_g_cm3)
        assert read.hotend_c[0] in (material.hotend_first_layer_c, material.hotend_c)
        height = equipment.quality(quality).layer_height_mm
        assert read.height_mm == pytest.approx(20, abs=height)


def test_arachne_walls_are_followed_where_a_quality_asks_for_them(
    tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    """A wedge thinner than two lines: its wall changes its width along the way."""
    wedge = tmp_path / "wedge.stl"
    outline = [(0.0, 0.0), (30.0, 0.0), (30.0, 1.2), (0.0, 0.4)]
    mesh = manifold3d.CrossSection([outline]).extrude(6).to_mesh()
    trimesh.Trimesh(mesh.vert_properties[:, :3], mesh.tri_verts).export(wedge)
    widths = {}
    for generator in ("classic", "arachne"):
        quality = equipment.quality("standard").model_copy(
            update={"perimeter_generator": generator}
        )
        gcode = tmp_path / f"{generator}.gcode"
        slice_part(wedge, gcode, printer=printer, material=pla, quality=quality)
        lines = gcode.read_text(encoding="utf-8").splitlines()
        widths[generator] = {line for line in lines if line.startswith(";WIDTH:")}
        assert [f for f in check_gcode(gcode, printer, pla) if f.severity == "block"] == []
    assert len(widths["arachne"]) > len(widths["classic"])


def test_a_filament_too_hot_for_the_hotend_is_refused(box_stl: Path, tmp_path: Path) -> None:
    with pytest.raises(SlicingError) as caught:
        slice_part(
            box_stl,
            tmp_path / "part.gcode",
            printer=equipment.printer("Ender-3"),
            material=equipment.material("ABS"),
        )
    assert "255 °C in the hotend" in caught.value.found
