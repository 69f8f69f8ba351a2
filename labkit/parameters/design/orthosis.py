"""The envelope of orthoses and splints."""

from typing import Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.design.family import device, number
from labkit.parameters.design.fitted import Fitted


class Orthosis(Fitted):
    """How a limb's surface becomes a splint around it.

    Modulus and strength begin at those of printed PLA in its weaker direction: 2539 MPa and
    26 MPa after ASTM D638 in Stratasys' data sheet of FDM PLA, rounded down.
    """

    device: Device = device("orthosis")
    halves: Literal["two", "first", "second"] = Field(
        default="two", description="both shells, or one alone as a gutter with straps"
    )
    split_deg: float = number(
        0.0,
        -180.0,
        180.0,
        "the parting plane, turned about the axis; 0 parts front from back",
        unit="°",
        why="a full turn",
    )
    gap_mm: float = number(
        2.0,
        0.8,
        10.0,
        "between the halves, taken up when they are closed",
        unit="mm",
        why="closer than two lines they print as one; skin is pinched in a wide one",
    )
    closure: Literal["strap slots", "screw lugs", "none"] = Field(
        default="strap slots", description="what holds it closed"
    )
    closures: int = Field(
        default=2,
        ge=1,
        le=6,
        description="how many on each side",
        json_schema_extra={"why": "one holds a ring, seven find no room on a limb"},
    )
    strap_mm: float = number(
        25.0,
        8.0,
        50.0,
        "width of the strap; the slot is 1 mm longer",
        unit="mm",
        why="hook-and-loop straps are sold from 10 to 50 mm",
    )
    screw: Literal["M3", "M4", "M5"] = Field(
        default="M4", description="the lugs' screws; the holes are of ISO 273, medium fit"
    )
    ventilation: Literal["none", "holes"] = Field(
        default="holes", description="what lets the skin breathe"
    )
    hole_mm: float = number(
        8.0,
        3.0,
        20.0,
        "diameter of a ventilation hole",
        unit="mm",
        why="smaller ones close in printing; skin swells into larger ones",
    )
    web_mm: float = number(
        6.0,
        2.0,
        30.0,
        "wall left between two holes",
        unit="mm",
        why="five lines of a 0.4 mm nozzle; wider is no ventilation",
    )
    load_n: float = number(
        50.0,
        1.0,
        1000.0,
        "a force in the middle of the splint that it must bear, held at its ends",
        unit="N",
        why="1000 N is a person's weight",
    )
    modulus_mpa: float = number(
        2500.0,
        10.0,
        20000.0,
        "the material's modulus of elasticity, across its layers",
        unit="MPa",
        why="from soft thermoplastic urethane to filled polyamide",
    )
    strength_mpa: float = number(
        26.0,
        1.0,
        200.0,
        "the material's tensile strength, across its layers",
        unit="MPa",
        why="from soft thermoplastic urethane to filled polyamide",
    )
