"""The envelope of lattices: porous prototypes in a block or in the patient's structure."""

from typing import Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.design.family import Design, along_scan, device, number, places_lps_mm

_ONE_PRINTER = "larger parts do not fit the printers that the kit knows"
_POROUS = "less traps powder, more leaves ligaments too thin to hold together"


class Lattice(Design):
    """How an envelope is filled with periodic cells."""

    device: Device = device("lattice")
    envelope: Literal["anatomy", "block"] = Field(
        default="anatomy", description="what is filled: the patient's structure, or a plain block"
    )
    block_x_mm: float = number(
        20.0, 5.0, 200.0, "size of the block along x", unit="mm", why=_ONE_PRINTER
    )
    block_y_mm: float = number(
        20.0, 5.0, 200.0, "size of the block along y", unit="mm", why=_ONE_PRINTER
    )
    block_z_mm: float = number(
        20.0, 5.0, 200.0, "size of the block along z", unit="mm", why=_ONE_PRINTER
    )
    keep_from_mm: float = along_scan("the part begins so far above the structure's lowest point")
    keep_length_mm: float = along_scan("length of the structure kept from there; 0 keeps all")
    cell: Literal[
        "gyroid sheet",
        "gyroid network",
        "schwarz p sheet",
        "schwarz p network",
        "schwarz d sheet",
        "schwarz d network",
        "iwp sheet",
        "iwp network",
        "cubic struts",
        "body-centred struts",
        "octet struts",
        "diamond struts",
    ] = Field(
        default="gyroid sheet",
        description="the periodic cell; schwarz d is the surface also called diamond",
    )
    cell_mm: float = number(
        6.0,
        1.0,
        30.0,
        "one period of the cell",
        unit="mm",
        why="finer cells are too many samples for a laptop, coarser ones are no lattice in a bone",
    )
    porosity: float = number(
        0.7,
        0.3,
        0.9,
        "share of the envelope inside the skin that is void; of a graded lattice at its start",
        why=_POROUS,
    )
    grading: Literal["none", "along z", "from the surface", "from places"] = Field(
        default="none", description="along what the porosity changes"
    )
    porosity_to: float = number(
        0.85,
        0.3,
        0.9,
        "porosity at the end of the grading",
        why=_POROUS,
    )
    grading_mm: float = number(
        10.0, 1.0, 200.0, "distance over which the porosity changes", unit="mm", why=_ONE_PRINTER
    )
    grading_places_lps_mm: str = places_lps_mm("where a grading from places starts")
    skin: Literal["none", "open ends", "closed"] = Field(
        default="none",
        description="a solid shell inside the envelope; with open ends not over the cut ends",
    )
    skin_mm: float = number(
        1.0,
        0.4,
        5.0,
        "thickness of the skin",
        unit="mm",
        why="below one line of a nozzle nothing is printed, above it is no skin",
    )
    drain_places_lps_mm: str = places_lps_mm("where drains lead through the skin")
    drain_mm: float = number(
        4.0,
        1.0,
        20.0,
        "diameter of a drain",
        unit="mm",
        why="powder bridges narrower ones, wider ones leave no skin",
    )
    ligament_change_percent: float = number(
        0.0,
        -20.0,
        20.0,
        "what the process does to ligaments; the design makes up for it",
        unit="%",
        why="published for titanium gyroids: -16 to -3 % (IJB 9(4)); the rest is our own",
    )
    pore_change_percent: float = number(
        0.0,
        -70.0,
        20.0,
        "what the process does to pores; the design makes up for it",
        unit="%",
        why="published for titanium gyroids: -66 to -34 % (IJB 9(4)); the rest is our own",
    )
