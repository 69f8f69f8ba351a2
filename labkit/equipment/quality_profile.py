"""How a part is built: layers, walls, infill, speeds, seam."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from labkit.equipment.sourced import NotNegative, Positive, SourcedProfile

Percent = Annotated[int, Field(ge=0, le=100)]
Width = Annotated[float | None, Field(gt=0)]


class Speeds(BaseModel):
    """Along the path, mm/s; no faster than the printer's own limit when they are used."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    external_perimeter: Positive = 30
    perimeter: Positive = 45
    small_perimeter: Positive = 25
    infill: Positive = 80
    solid_infill: Positive = 60
    top_solid_infill: Positive = 40
    bridge: Positive = 30
    gap_fill: Positive = 30
    support: Positive = 50
    first_layer: Positive = 20
    travel: Positive = 150


class QualityProfile(SourcedProfile):
    """How a part is built, for any printer and material.

    ``arachne`` walls follow thin shapes better; their G-code differs a little from run to
    run (±0.2 % of the filament, measured), so that the same bytes come from ``classic``
    ones only.
    """

    own_settings: ClassVar[frozenset[str]] = frozenset(
        (
            *("bridge_flow_ratio", "infill_overlap", "infill_anchor", "infill_anchor_max"),
            *("infill_every_layers", "ensure_vertical_shell_thickness", "extra_perimeters"),
            *("external_perimeters_first", "avoid_crossing_perimeters", "gap_fill_enabled"),
            *("top_fill_pattern", "bottom_fill_pattern", "fill_angle", "overhangs"),
            *("solid_infill_below_area", "bridge_angle", "xy_size_compensation", "resolution"),
            *("gcode_resolution", "slice_closing_radius", "raft_layers", "infill_first"),
            *("support_material_spacing", "support_material_contact_distance"),
            *("support_material_interface_layers", "support_material_pattern"),
            *("support_material_buildplate_only", "support_material_xy_spacing"),
            *("support_material_with_sheath", "support_material_interface_spacing"),
        )
    )

    layer_height_mm: Positive
    first_layer_height_mm: Width = Field(
        default=None, description="left out: as the others, at least 0.2 mm"
    )
    infill_percent: Percent
    infill_pattern: Literal[
        "grid", "gyroid", "cubic", "rectilinear", "line", "honeycomb", "triangles", "stars"
    ] = "grid"
    perimeters: int = Field(default=2, ge=1, le=20)
    shell_mm: NotNegative = Field(default=0.8, description="closed top and bottom")
    line_width_mm: Width = Field(default=None, description="left out: 1.125 × the nozzle")
    external_line_width_mm: Width = None
    infill_line_width_mm: Width = None
    first_layer_line_width_mm: Width = None
    speeds_mm_s: Speeds = Speeds()
    seam: Literal["aligned", "nearest", "rear", "random"] = "aligned"
    thin_walls: bool = Field(
        default=True, description="else classic walls leave thin fins out without a word"
    )
    perimeter_generator: Literal["classic", "arachne"] = "classic"
    elephant_foot_mm: NotNegative = Field(default=0.0, description="the first layer, drawn in")
    brim_mm: NotNegative = 0.0
    skirts: int = Field(default=0, ge=0, le=10)
    support_angle_deg: float = Field(
        default=45, ge=0, le=90, description="supported below this angle from the bed; 0: detect"
    )
    support_style: Literal["snug", "grid"] = "snug"
