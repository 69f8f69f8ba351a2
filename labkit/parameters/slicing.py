"""Parameters of the stage `slicing`: how the part becomes G-code."""

from typing import ClassVar, Literal

from pydantic import Field

from labkit.parameters.stage import StageParameters


class Slicing(StageParameters):
    """How the part becomes G-code."""

    stage: ClassVar[str] = "04_slicing"
    rare: ClassVar[frozenset[str]] = frozenset({"tensile_bar", "gcode_from", "gcode_file"})

    printer: str = Field(
        default="practice",
        description="name of the printer's profile",
        json_schema_extra={"named_in": "printers"},
    )
    material: str = Field(
        default="PLA",
        description="name of the material's profile",
        json_schema_extra={"named_in": "materials"},
    )
    quality: str = Field(
        default="standard",
        description="name of the quality's profile",
        json_schema_extra={"named_in": "qualities"},
    )
    layer_height_mm: float = Field(
        default=0.0,
        ge=0,
        le=0.6,
        description="finer follows the shape; 0: as the quality says",
        json_schema_extra={"unit": "mm"},
    )
    infill_percent: int = Field(
        default=-1,
        ge=-1,
        le=100,
        description="how full the inside is; -1: as the quality says",
        json_schema_extra={"unit": "%"},
    )
    supports: bool = Field(default=False, description="print supports under overhangs")
    copies: int = Field(default=1, ge=1, le=50, description="how many of the part on one plate")
    landing_block: bool = Field(
        default=False, description="a cube to measure beside the part (witness coupon)"
    )
    tensile_bar: bool = Field(
        default=False, description="a bar to pull apart beside the part (witness coupon)"
    )
    gcode_from: Literal["slicer", "file"] = Field(
        default="slicer",
        description="what makes the G-code: slicer is the kit, file is another slicer",
    )
    gcode_file: str = Field(
        default="",
        description="G-code of another slicer, for `file`; empty: that of the last revision",
        json_schema_extra={"path": True, "kept_as": "part.gcode"},
    )
