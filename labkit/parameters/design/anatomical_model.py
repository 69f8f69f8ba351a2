"""The envelope of anatomical models."""

from typing import Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.design.family import Design, along_scan, device, number, places_lps_mm
from labkit.parameters.fields import PLACE_PAIRS


class AnatomicalModel(Design):
    """How the patient's structure becomes a model of it."""

    device: Device = device("anatomical model")
    keep_from_mm: float = along_scan("the part begins so far above the surface's lowest point")
    keep_length_mm: float = along_scan("length kept from there; 0 keeps all")
    keep_box_lps_mm: str = places_lps_mm(
        "two corners of the box that is kept; empty: no box", form="x, y, z; x, y, z, or nothing"
    )
    cut_planes_lps_mm: str = places_lps_mm(
        "planes to cut by, each a place on it and one square to it, on the side kept",
        pattern=PLACE_PAIRS,
        form="on; kept; on; kept …, or nothing",
    )
    section: Literal["none", "sagittal", "coronal"] = Field(
        default="none", description="for teaching: cut open there, the halves apart on one base"
    )
    section_percent: float = number(
        50.0,
        5.0,
        95.0,
        "where it is cut open, from the lower coordinate to the higher",
        unit="%",
        why="nearer to the end one half is a chip",
    )
    section_gap_mm: float = number(
        20.0,
        2.0,
        100.0,
        "how far apart the halves stand",
        unit="mm",
        why="less welds them, more outgrows the plate",
    )
    base: Literal["plate", "none"] = Field(
        default="plate", description="a plate with landing blocks and the case code under the part"
    )
    scale: float = number(
        1.0,
        0.1,
        3.0,
        "1 is life size; anything else is warned of",
        why="below a tenth no detail is left, above three no printer of the kit holds it",
    )
    hollow: bool = Field(default=False, description="a wall and drain holes instead of full inside")
    wall_mm: float = number(
        2.0,
        0.8,
        10.0,
        "wall left where it is hollow, as printed",
        unit="mm",
        why="two lines of a 0.4 mm nozzle; beyond 10 little is saved",
    )
    drain_mm: float = number(
        4.0,
        2.0,
        12.0,
        "diameter of the drain holes",
        unit="mm",
        why="resin and powder stay behind narrower holes; wider ones show",
    )
    drains: int = number(
        4, 1, 20, "at most so many drain holes", why="what needs more is better printed full"
    )
    fragments: Literal["as they are", "pinned"] = Field(
        default="as they are", description="what to do with loose pieces"
    )
    pin_mm: float = number(
        3.0,
        1.5,
        10.0,
        "diameter of the pins that hold loose pieces",
        unit="mm",
        why="thinner breaks when supports come off, thicker hides what it holds",
    )
    others: Literal["left out", "coloured", "joined"] = Field(
        default="left out",
        description="further structures: not made, bodies of their own colour, or one with this",
    )
