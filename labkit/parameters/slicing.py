"""Parameters of the stage `slicing`: how the part becomes G-code."""

from typing import ClassVar

from pydantic import Field

from labkit.parameters.stage import StageParameters


class Slicing(StageParameters):
    """How the part becomes G-code."""

    stage: ClassVar[str] = "04_slicing"

    printer: str = Field(default="practice", description="name of the printer's profile")
    material: str = Field(default="PLA", description="name of the material's profile")
    layer_height_mm: float = Field(
        default=0.3,
        ge=0.05,
        le=0.6,
        description="finer follows the shape, coarser is quicker",
        json_schema_extra={"unit": "mm"},
    )
    infill_percent: int = Field(
        default=10,
        ge=0,
        le=100,
        description="how full the inside is",
        json_schema_extra={"unit": "%"},
    )
    supports: bool = Field(default=False, description="print supports under overhangs")
