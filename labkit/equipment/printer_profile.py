"""A printer: where it may go, how fast, how hot, and what it does first and last."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from labkit.equipment.sourced import Celsius, NotNegative, Positive, SourcedProfile

Wall = Annotated[float | None, Field(gt=0)]
Area = tuple[float, float]
Place = tuple[float, float, float]


class PrinterProfile(SourcedProfile):
    """A printer with one extruder, in its own frame: mm from the origin of its axes."""

    own_settings: ClassVar[frozenset[str]] = frozenset(
        (
            *("retract_lift", "retract_lift_above", "retract_lift_below", "retract_before_travel"),
            *("retract_before_wipe", "retract_layer_change", "retract_restart_extra", "wipe"),
            *("deretract_speed", "min_layer_height", "max_layer_height"),
        )
    )

    firmware: Literal["marlin", "marlin2"]
    bed_min_mm: Area = Field(description="where a part may lie, x and y")
    bed_max_mm: Area
    volume_min_mm: Place = Field(description="where the nozzle may go, x, y and z")
    volume_max_mm: Place
    nozzle_mm: Positive
    max_feed_xy_mm_min: Positive
    max_feed_z_mm_min: Positive
    max_feed_e_mm_min: Positive | None = Field(default=None, description="of the filament")
    max_flow_mm3_s: Positive = Field(description="plastic that the hotend can melt")
    acceleration_mm_s2: Positive = Field(description="in x and y, printing and travelling")
    acceleration_z_mm_s2: Positive | None = None
    acceleration_e_mm_s2: Positive | None = None
    jerk_xy_mm_s: Positive | None = Field(default=None, description="change of speed at a corner")
    jerk_z_mm_s: Positive | None = None
    jerk_e_mm_s: Positive | None = None
    retraction_mm: NotNegative = Field(default=0.8, description="filament pulled back to travel")
    retraction_mm_s: Positive = 35.0
    max_hotend_c: Celsius
    max_bed_c: Celsius
    power_w: Positive | None = Field(default=None, description="mean while it prints")
    min_wall_mm: Wall = Field(default=None, description="thinnest wall; left out: two lines")
    min_gap_mm: Wall = Field(default=None, description="narrowest gap that stays open")
    min_feature_mm: Wall = Field(default=None, description="thinnest free-standing pin")
    max_overhang_deg: float = Field(
        default=45.0, gt=0, le=90, description="from the vertical, printed without support"
    )
    fills_cavities: bool = Field(
        default=False, description="powder or resin stays in closed cavities"
    )
    start_gcode: str = Field(min_length=1, description="with the slicer's placeholders")
    end_gcode: str = Field(min_length=1)

    @property
    def wall_mm(self) -> float:
        """The thinnest wall: as the profile says, else two lines of the nozzle's width."""
        return self.min_wall_mm or 2 * self.nozzle_mm

    @property
    def gap_mm(self) -> float:
        """The narrowest gap: as the profile says, else one line of the nozzle's width."""
        return self.min_gap_mm or self.nozzle_mm

    @property
    def feature_mm(self) -> float:
        """The thinnest pin: as the profile says, else three lines of the nozzle's width."""
        return self.min_feature_mm or 3 * self.nozzle_mm

    @property
    def room_mm(self) -> Place:
        """The largest part, along x, y and z: the bed, and as high as the nozzle goes."""
        (left, front), (right, back) = self.bed_min_mm, self.bed_max_mm
        return right - left, back - front, self.volume_max_mm[2]

    @model_validator(mode="after")
    def _boxes(self) -> Self:
        boxes = (self.bed_min_mm, self.bed_max_mm), (self.volume_min_mm, self.volume_max_mm)
        for low, high in boxes:
            if any(a >= b for a, b in zip(low, high, strict=True)):
                raise ValueError("a largest coordinate is not above the smallest")
        return self
