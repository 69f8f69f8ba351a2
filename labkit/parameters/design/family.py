"""What the parameters of all families of parts have in common."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.stage import StageParameters


def device(name: Device) -> Any:
    """The field ``device`` of a family."""
    return Field(
        default=name,
        description="the family of part; each has its own parameters",
        json_schema_extra={"chooses_model": True},
    )


def number(
    default: float, low: float, high: float, description: str, *, unit: str = "", why: str
) -> Any:
    """A field of a family's envelope: a number from ``low`` to ``high``, and why not beyond."""
    return Field(
        default=default,
        ge=low,
        le=high,
        description=description,
        json_schema_extra={"unit": unit, "why": why},
    )


class Design(StageParameters):
    """How the surface becomes a part."""

    stage: ClassVar[str] = "03_design"

    device: Device = device("anatomical model")
    printer: str = Field(
        default="practice", description="the printer whose limits the part is held against"
    )
    material: str = Field(default="PLA", description="the material it is to be made of")
    orientation: Literal["as designed", "proposed"] = Field(
        default="as designed", description="how it lies on the plate"
    )
