"""Parameters of the stage `inspection`: how far the part may be off."""

from typing import ClassVar

from pydantic import Field

from labkit.parameters.stage import StageParameters


class Inspection(StageParameters):
    """How far the part may be off."""

    stage: ClassVar[str] = "06_inspection"

    measurements_csv: str = Field(
        default="",
        description="the filled table; empty: as typed, or virtual calipers for practice",
        json_schema_extra={"path": True, "kept_as": "measurements.csv"},
    )
    tolerance_mm: float = Field(
        default=1.0,
        ge=0.05,
        le=2.0,
        description="a dimension further off fails (1 mm: Ravi 2022, PMC9156585)",
        json_schema_extra={"unit": "mm"},
    )
    action_mm: float = Field(
        default=0.5,
        ge=0.05,
        le=2.0,
        description="a dimension further off is reported",
        json_schema_extra={"unit": "mm"},
    )
