"""The envelope of sockets and hand parts."""

from typing import Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.design.family import device, number
from labkit.parameters.design.fitted import FileUnit, Fitted


class Prosthesis(Fitted):
    """How a residual limb becomes a socket, or a set of parts a hand of the right size."""

    device: Device = device("prosthesis")
    kind: Literal["socket", "hand parts"] = Field(
        default="socket", description="a cup around the residual limb, or imported parts to scale"
    )
    distal_mm: float = number(
        3.0,
        0.0,
        15.0,
        "clearance added at the distal end, where no weight is to be borne",
        unit="mm",
        why="more than 15 mm leaves the end hanging and swelling",
    )
    foot_mm: float = number(
        30.0,
        10.0,
        80.0,
        "diameter of the flat foot under the socket, where the next component is fixed",
        unit="mm",
        why="smaller does not stand, larger is wider than most limbs",
    )
    foot_height_mm: float = number(
        8.0,
        3.0,
        40.0,
        "height of the foot below the socket's end",
        unit="mm",
        why="thinner holds no screw",
    )
    vent_mm: float = number(
        4.0,
        0.0,
        10.0,
        "bore through the foot that lets air out; 0 for none",
        unit="mm",
        why="above 10 mm skin is drawn into it",
    )
    parts: str = Field(
        default="",
        description="the parts to scale: a file, or a folder of files",
        json_schema_extra={"path": True},
    )
    parts_unit: FileUnit = Field(
        default="not stated", description="the parts' unit: surface files hold none"
    )
    scale_percent: float = number(
        100.0,
        50.0,
        200.0,
        "the parts' size; where both measures below are given, they decide",
        unit="%",
        why="published hand sets are made for children to adults: half to twice",
    )
    limb_measure_mm: float = number(
        0.0,
        0.0,
        400.0,
        "the patient's measure, such as breadth across the knuckles; 0: take scale_percent",
        unit="mm",
        why="no hand is broader",
    )
    part_measure_mm: float = number(
        0.0,
        0.0,
        400.0,
        "the same measure of the hand that the parts were drawn for",
        unit="mm",
        why="no hand is broader",
    )
    size: int = Field(
        default=1,
        ge=1,
        le=20,
        description="which size of the growth plan is made; 1 is today's",
        json_schema_extra={"why": "five years of quick growth need fewer than 20"},
    )
    hardware_up_to_mm: float = number(
        6.0,
        0.0,
        20.0,
        "round bores up to this diameter keep it: screws, pins and cords do not scale",
        unit="mm",
        why="no hand is held by thicker screws",
    )
    least_wall_mm: float = number(
        1.2,
        0.4,
        5.0,
        "wall that must be left around a bore",
        unit="mm",
        why="one line to a thick shell",
    )
