"""Parameters of the stage `traceability`: what the record says of the whole."""

from typing import ClassVar

from pydantic import Field

from labkit.parameters.stage import StageParameters


class Traceability(StageParameters):
    """What the record says of the whole."""

    stage: ClassVar[str] = "07_traceability"

    procedure: str = Field(default="practice", description="the procedure that was followed")
    remarks: str = Field(default="", description="a note for the record")
