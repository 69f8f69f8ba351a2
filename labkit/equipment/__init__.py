"""Printers and materials of the lab, as profiles."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from labkit.errors import EquipmentError
from labkit.profiles import Profile, known_profiles, profile_named

KIT = Path(__file__).parent
"""The folder of the kit's own, by kind."""

Positive = Annotated[float, Field(gt=0)]
Wall = Annotated[float | None, Field(gt=0)]
Celsius = Annotated[float, Field(ge=0, le=500)]
Area = tuple[float, float]
Place = tuple[float, float, float]


class PrinterProfile(Profile):
    """A printer with one extruder, in its own frame: mm from the origin of its axes."""

    firmware: Literal["marlin", "marlin2"]
    bed_min_mm: Area = Field(description="where a part may lie, x and y")
    bed_max_mm: Area
    volume_min_mm: Place = Field(description="where the nozzle may go, x, y and z")
    volume_max_mm: Place
    nozzle_mm: Positive
    max_feed_xy_mm_min: Positive
    max_feed_z_mm_min: Positive
    max_flow_mm3_s: Positive = Field(description="plastic that the hotend can melt")
    acceleration_mm_s2: Positive = Field(description="for the slicer's estimate of time")
    max_hotend_c: Celsius
    max_bed_c: Celsius
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

    @model_validator(mode="after")
    def _boxes(self) -> Self:
        boxes = (self.bed_min_mm, self.bed_max_mm), (self.volume_min_mm, self.volume_max_mm)
        for low, high in boxes:
            if any(a >= b for a, b in zip(low, high, strict=True)):
                raise ValueError("a largest coordinate is not above the smallest")
        return self


class MaterialProfile(Profile):
    """A filament: what it is, the temperatures it bears, and those chosen."""

    filament_diameter_mm: Positive
    density_g_cm3: Positive
    hotend_min_c: Celsius
    hotend_max_c: Celsius
    bed_min_c: Celsius
    bed_max_c: Celsius
    hotend_c: Celsius
    hotend_first_layer_c: Celsius
    bed_c: Celsius
    bed_first_layer_c: Celsius
    fan_percent: float = Field(ge=0, le=100)
    price_eur_per_kg: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _windows(self) -> Self:
        for low, high, chosen in (
            (self.hotend_min_c, self.hotend_max_c, (self.hotend_c, self.hotend_first_layer_c)),
            (self.bed_min_c, self.bed_max_c, (self.bed_c, self.bed_first_layer_c)),
        ):
            if not all(low <= value <= high for value in chosen):
                raise ValueError(f"a chosen temperature lies outside {low:g} to {high:g} °C")
        return self


def printer(name: str) -> PrinterProfile:
    """The printer profile of this name: the lab's own, else the kit's.

    Raises
    ------
    EquipmentError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return profile_named(PrinterProfile, "printers", name, KIT / "printers", EquipmentError)


def material(name: str) -> MaterialProfile:
    """The material profile of this name: the lab's own, else the kit's.

    Raises
    ------
    EquipmentError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return profile_named(MaterialProfile, "materials", name, KIT / "materials", EquipmentError)


def known(kind: Literal["printers", "materials"]) -> dict[str, Path]:
    """``{name: file}`` of all profiles of a kind, by name."""
    return known_profiles(kind, KIT / kind)
