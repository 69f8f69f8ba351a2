"""What the parameters of all families of parts have in common."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.fields import PLACES
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


def along_scan(description: str, default: float = 0.0) -> Any:
    """A length along the patient's structure, mm."""
    why = "no scan of a person is longer"
    return number(default, 0.0, 2000.0, description, unit="mm", why=why)


def places_lps_mm(
    description: str, *, pattern: str = PLACES, form: str = "x, y, z; x, y, z …, or nothing"
) -> Any:
    """A field that holds places in the patient as a text, mm LPS; empty where there are none."""
    return Field(
        default="",
        pattern=pattern,
        description=description,
        json_schema_extra={"unit": "mm", "form": form},
    )


class Design(StageParameters):
    """How the surface becomes a part."""

    stage: ClassVar[str] = "03_design"

    device: Device = device("anatomical model")
    printer: str = Field(
        default="practice",
        description="the printer whose limits the part is held against",
        json_schema_extra={"named_in": "printers"},
    )
    material: str = Field(
        default="PLA",
        description="the material it is to be made of",
        json_schema_extra={"named_in": "materials"},
    )
    orientation: Literal["as designed", "proposed"] = Field(
        default="as designed", description="how it lies on the plate"
    )
