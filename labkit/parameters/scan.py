"""Parameters of the stage `scan`: which images become the volume."""

from typing import ClassVar

from pydantic import Field

from labkit.parameters.stage import StageParameters


class Scan(StageParameters):
    """Which images become the volume."""

    stage: ClassVar[str] = "01_scan"
    rare: ClassVar[frozenset[str]] = frozenset(
        {"largest_gap_mm", "interpolate_missing", "keep_dicom"}
    )

    source: str = Field(
        default="",
        description="folder, zip or file of the scan; empty: what `labkit run --source` names",
        json_schema_extra={"path": True},
    )
    series: str = Field(
        default="", description="key of the series in the table; empty: the one proposed"
    )
    protocol: str = Field(
        default="bone_model",
        description="name of the limits that the scan is judged by",
        json_schema_extra={"named_in": "protocols"},
    )
    largest_gap_mm: float = Field(
        default=2.5,
        ge=0.1,
        le=10.0,
        description="images farther apart than this are not evened out but refused",
        json_schema_extra={"unit": "mm"},
    )
    interpolate_missing: bool = Field(
        default=False, description="make up single missing images; every later record says so"
    )
    keep_dicom: bool = Field(
        default=False, description="keep the images in the case too, without the patient"
    )
