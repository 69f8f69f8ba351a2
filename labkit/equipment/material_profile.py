"""A filament: the temperatures it bears, what it weighs and costs, how it may be sterilised."""

from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labkit.equipment.sourced import Celsius, NotNegative, Positive, SourcedProfile

Verdict = Literal["suitable", "not suitable", "not known"]


class Suitability(BaseModel):
    """Whether a material stands one method of sterilisation, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict = "not known"
    source: str = Field(default="", description="DOI, URL or data sheet; what was found there")

    @model_validator(mode="after")
    def _said_by_somebody(self) -> Self:
        if self.verdict != "not known" and not self.source:
            raise ValueError(f"{self.verdict!r} without a source")
        return self


class Sterilisation(BaseModel):
    """One verdict for each method; what is left out is not known.

    Steam at 121 and 134 °C (ISO 17665), ethylene oxide (ISO 11135), vaporised hydrogen
    peroxide with or without plasma (ISO 22441), gamma radiation (ISO 11137).  It says
    whether the *material* keeps its shape; that a part becomes sterile is for the
    validation of the process to show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steam_121_c: Suitability = Suitability()
    steam_134_c: Suitability = Suitability()
    ethylene_oxide: Suitability = Suitability()
    hydrogen_peroxide: Suitability = Suitability()
    gamma: Suitability = Suitability()


class MaterialProfile(SourcedProfile):
    """A filament: what it is, the temperatures it bears, and those chosen."""

    own_settings: ClassVar[frozenset[str]] = frozenset(
        (
            *("extrusion_multiplier", "cooling", "fan_always_on", "fan_below_layer_time"),
            *("full_fan_speed_layer", "disable_fan_first_layers", "slowdown_below_layer_time"),
            *("min_print_speed", "min_fan_speed", "max_fan_speed", "bridge_fan_speed"),
            *("filament_retract_length", "filament_retract_speed", "filament_deretract_speed"),
            *("filament_retract_lift", "filament_retract_before_travel", "filament_wipe"),
        )
    )

    polymer: str = Field(
        default="", pattern=r"^[A-Za-z0-9 ._+-]{0,32}$", description="left out: the name"
    )
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
    max_flow_mm3_s: Positive | None = Field(default=None, description="left out: the printer's")
    price_eur_per_kg: NotNegative | None = None
    co2e_kg_per_kg: NotNegative | None = Field(
        default=None, description="greenhouse gases of making it, cradle to gate"
    )
    co2e_source: str = ""
    sterilisation: Sterilisation = Sterilisation()
    lot_required: bool = Field(
        default=False, description="a print must name the lot that it was made of"
    )

    @model_validator(mode="after")
    def _windows(self) -> Self:
        for low, high, chosen in (
            (self.hotend_min_c, self.hotend_max_c, (self.hotend_c, self.hotend_first_layer_c)),
            (self.bed_min_c, self.bed_max_c, (self.bed_c, self.bed_first_layer_c)),
        ):
            if not all(low <= value <= high for value in chosen):
                raise ValueError(f"a chosen temperature lies outside {low:g} to {high:g} °C")
        if self.co2e_kg_per_kg is not None and not self.co2e_source:
            raise ValueError("co2e_kg_per_kg without co2e_source")
        return self

    @property
    def watched(self) -> dict[str, Any]:
        """What who watches a print holds it against: the temperature window, and the lot."""
        return {
            "window_c": {
                "hotend": [self.hotend_min_c, self.hotend_max_c],
                "bed": [self.bed_min_c, self.bed_max_c],
            },
            "lot_required": self.lot_required,
        }
