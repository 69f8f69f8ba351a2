"""What parts that are worn on a limb have in common: where they sit, and how close."""

from typing import Literal

from pydantic import Field

from labkit.parameters.design.family import Design, along_scan, number, places_lps_mm

_NUMBER = r"\s*\d+(?:\.\d*)?\s*"
PAIRS = f"^(?:{_NUMBER},{_NUMBER}(?:;{_NUMBER},{_NUMBER})*)?$"
"""What a text of pairs looks like: ``a, b; a, b``, or nothing."""


FileUnit = Literal["not stated", "mm", "cm", "m", "inch"]
"""What a person may say of the unit of a file that holds none."""


def stated(unit: FileUnit) -> str:
    """The unit as the reader of files takes it; empty where none was said."""
    return "" if unit == "not stated" else unit


def pairs(text: str) -> tuple[tuple[float, float], ...]:
    """The pairs that ``a, b; a, b`` names."""
    found = []
    for pair in text.split(";") if text.strip() else []:
        first, second = (float(number) for number in pair.split(","))
        found.append((first, second))
    return tuple(found)


class Fitted(Design):
    """How a limb's surface becomes a shell around it."""

    limb_file: str = Field(
        default="",
        description="the limb's surface from a file; empty: the segmented surface",
        json_schema_extra={"path": True},
    )
    limb_file_unit: FileUnit = Field(
        default="not stated", description="the file's unit: a surface file holds none"
    )
    scanned_side: Literal["as ordered", "left", "right"] = Field(
        default="as ordered", description="the side that the surface shows"
    )
    mirror: bool = Field(
        default=False, description="the surface is of the healthy side: make the other one of it"
    )
    distal_end: Literal["inferior", "superior"] = Field(
        default="inferior",
        description="where the hand or foot is in the scan; superior: an arm held up",
    )
    axis: Literal["limb", "superior"] = Field(
        default="limb",
        description="what the part stands along: the limb's principal axis, or the patient's",
    )
    from_mm: float = along_scan("the part begins so far above the limb's distal end", 10.0)
    length_mm: float = number(
        150.0,
        15.0,
        600.0,
        "its length along the axis",
        unit="mm",
        why="below 15 mm nothing is held; a thigh is shorter than 600 mm",
    )
    clearance_mm: float = number(
        1.5,
        0.0,
        12.0,
        "between skin and part; takes a sock, a liner or padding",
        unit="mm",
        why="above 12 mm the part no longer holds the limb",
    )
    clearance_along: str = Field(
        default="",
        pattern=PAIRS,
        description="clearance by height above the part's distal edge; replaces clearance_mm",
        json_schema_extra={"unit": "mm", "form": "height, clearance; height, clearance …"},
    )
    relief_lps_mm: str = places_lps_mm(
        "places on the scan that must not be pressed: bony points, wounds"
    )
    relief_mm: float = number(
        3.0,
        0.5,
        10.0,
        "clearance added over such a place",
        unit="mm",
        why="less than 0.5 mm is lost in padding; more than 10 mm sticks out",
    )
    relief_radius_mm: float = number(
        15.0,
        5.0,
        60.0,
        "how far around it, falling to nothing",
        unit="mm",
        why="below 5 mm it is a hole, above 60 mm use clearance_along",
    )
    wall_mm: float = number(
        3.0,
        1.2,
        8.0,
        "thickness of the wall",
        unit="mm",
        why="three lines of a 0.4 mm nozzle; above 8 mm it cannot be worn under clothes",
    )
    flare_mm: float = number(
        3.0,
        0.0,
        8.0,
        "how far an edge bends away from the skin",
        unit="mm",
        why="above 8 mm it catches on clothes",
    )
    flare_length_mm: float = number(
        10.0,
        3.0,
        30.0,
        "over what length it bends",
        unit="mm",
        why="shorter bends overhang too far to be printed",
    )
    step_mm: float = number(
        1.0,
        0.4,
        3.0,
        "between samples of the distance from the skin",
        unit="mm",
        why="finer takes minutes, coarser misses the skin by more than 0.05 mm",
    )
    growth: Literal["none", "reference", "measurements"] = Field(
        default="none", description="a plan of sizes for a child, and what it rests on"
    )
    sex: Literal["female", "male"] = Field(
        default="female", description="whose growth reference; only for growth = reference"
    )
    age_years: float = number(
        8.0,
        5.1,
        19.0,
        "age when the limb was measured; only for growth = reference",
        unit="years",
        why="the WHO reference of 2007 begins at 5 years and 1 month and ends at 19 years",
    )
    height_cm: float = number(
        0.0,
        0.0,
        230.0,
        "height then; 0 takes the median; only for growth = reference",
        unit="cm",
        why="the tallest of the reference are below 205 cm",
    )
    measurements: str = Field(
        default="",
        pattern=PAIRS,
        description="the same length measured at several times; only for growth = measurements",
        json_schema_extra={"form": "months, mm; months, mm …, the oldest first"},
    )
    measured_on: str = Field(
        default="",
        pattern=r"^(?:\d{4}-\d{2}-\d{2})?$",
        description="day of the (last) measurement; empty: the plan counts months",
        json_schema_extra={"form": "a date as 2026-05-31, or nothing"},
    )
    plan_months: int = Field(
        default=24,
        ge=3,
        le=60,
        description="how far ahead the plan of sizes looks",
        json_schema_extra={"unit": "months", "why": "nobody should trust it beyond five years"},
    )
    adjustment_percent: float = number(
        8.0,
        1.0,
        25.0,
        "growth that one size takes up by its straps, padding or socks",
        unit="%",
        why="no strap takes up more than a quarter",
    )
