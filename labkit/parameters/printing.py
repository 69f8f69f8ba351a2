"""Parameters of the stage `printing`: where the G-code is printed, and on whose word."""

from typing import ClassVar

from pydantic import Field

from labkit.parameters.stage import StageParameters


class Printing(StageParameters):
    """Where the G-code is printed, and on whose word."""

    stage: ClassVar[str] = "05_printing"
    rare: ClassVar[frozenset[str]] = frozenset({"attempt", "silence_limit_s"})

    printer: str = Field(
        default="practice",
        description="name of a printer; practice: nothing real prints",
        json_schema_extra={"named_in": "fleet"},
    )
    attempt: int = Field(
        default=1, ge=1, le=99, description="raise it to print again, after a person has looked"
    )
    material_lot: str = Field(
        default="",
        max_length=64,
        description="what the spool says; materials may require it",
    )
    approved_sha256: str = Field(
        default="", description="hash of the G-code that a person approved; not needed for practice"
    )
    approved_by: str = Field(default="", description="who approved it; not needed for practice")
    silence_limit_s: float = Field(
        default=60.0,
        ge=5.0,
        le=600.0,
        description="alarm when the print has not moved on for so long",
        json_schema_extra={"unit": "s"},
    )
