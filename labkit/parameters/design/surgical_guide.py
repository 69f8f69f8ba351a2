"""The envelope of surgical guides."""

from typing import Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.design.family import Design, device, number, places_lps_mm
from labkit.parameters.fields import PLACE, PLACE_PAIRS

_TRIPLE = f"{PLACE};{PLACE};{PLACE}"


class SurgicalGuide(Design):
    """How a planned trajectory becomes a guide that sits on the patient's bone."""

    device: Device = device("surgical guide")
    trajectories_lps_mm: str = places_lps_mm(
        "holes to drill, each its entry on the bone and a place deeper along it",
        pattern=PLACE_PAIRS,
        form="entry; deeper; entry; deeper …, or nothing",
    )
    slots_lps_mm: str = places_lps_mm(
        "cuts to saw, each its two ends on the bone and a place deeper in its plane",
        pattern=f"^(?:{_TRIPLE}(?:;{_TRIPLE})*)?$",
        form="end; end; deeper …, in threes, or nothing",
    )
    windows_lps_mm: str = places_lps_mm("where one shall see the bone through the guide")
    region_lps_mm: str = places_lps_mm(
        "outline of the contact, drawn on the bone; a middle; empty: around the plan"
    )
    region_margin_mm: float = number(
        15.0,
        5.0,
        60.0,
        "how far the contact reaches around a middle or the plan; not around an outline",
        unit="mm",
        why="smaller rocks, larger needs an exposure that no approach gives",
    )
    insertion_lps: str = Field(
        default="",
        pattern=f"^(?:{PLACE})?$",
        description="direction in which the guide is put on; empty: square to the bone there",
        json_schema_extra={"form": "x, y, z of a direction, or nothing"},
    )
    insertion_mm: float = number(
        20.0,
        5.0,
        60.0,
        "length of the way on which it is put on, checked for collisions",
        unit="mm",
        why="shorter proves little, longer leaves the wound",
    )
    reach_mm: float = number(
        10.0,
        2.0,
        40.0,
        "how far down the bone it reaches, from the first contact",
        unit="mm",
        why="less does not hold, more strips soft tissue",
    )
    clearance_mm: float = number(
        0.2,
        0.1,
        1.0,
        "gap between guide and bone",
        unit="mm",
        why="below 0.1 the printer's own error decides, above 1 the guide finds no seat",
    )
    wall_mm: float = number(
        3.0,
        1.5,
        8.0,
        "thickness over the bone",
        unit="mm",
        why="thinner bends, thicker hides the bone",
    )
    sleeve_inner_mm: float = number(
        3.2,
        1.0,
        15.0,
        "inner diameter of the drill sleeves: the drill and its play",
        unit="mm",
        why="from wires to the largest cannulated drills",
    )
    sleeve_wall_mm: float = number(
        2.0,
        1.2,
        6.0,
        "wall of the drill sleeves",
        unit="mm",
        why="three lines of a 0.4 mm nozzle; beyond 6 the view is lost",
    )
    sleeve_length_mm: float = number(
        15.0,
        6.0,
        50.0,
        "length of the sleeves above the bone",
        unit="mm",
        why="shorter does not lead the drill, longer uses up its length",
    )
    slot_width_mm: float = number(
        1.2,
        0.6,
        4.0,
        "width of the cutting slots: the blade and its play",
        unit="mm",
        why="from the thinnest saw blade to a chisel",
    )
    slot_wall_mm: float = number(
        2.5,
        1.5,
        8.0,
        "wall on each side of a slot",
        unit="mm",
        why="thinner is sawn through, thicker hides the cut",
    )
    slot_height_mm: float = number(
        10.0,
        4.0,
        30.0,
        "height of the slots above the bone",
        unit="mm",
        why="lower does not lead the blade, higher uses up its length",
    )
    window_mm: float = number(
        8.0,
        3.0,
        25.0,
        "diameter of the windows",
        unit="mm",
        why="smaller shows nothing, larger weakens the guide",
    )
    mark: Literal["case and side", "none"] = Field(
        default="case and side", description="raised on the outside"
    )
    step_mm: float = number(
        0.4,
        0.2,
        0.8,
        "steps at which the bone's distance is sampled",
        unit="mm",
        why="finer takes minutes, coarser rounds the contact",
    )
