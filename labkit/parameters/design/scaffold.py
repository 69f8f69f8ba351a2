"""The envelope of scaffolds: log-piles of strands, and level sets, for research."""

from typing import Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.design.family import Design, along_scan, device, number

_PLATE = "well plates and dishes hold no more"
_NEEDLE = "the dispensing needles that are sold end about there"


class Scaffold(Design):
    """How a porous scaffold is laid."""

    device: Device = device("scaffold")
    shape: Literal["block", "cylinder", "anatomy"] = Field(
        default="block", description="outer shape: plain, or the patient's structure"
    )
    width_mm: float = number(10.0, 2.0, 100.0, "block along x, or diameter", unit="mm", why=_PLATE)
    depth_mm: float = number(10.0, 2.0, 100.0, "block along y", unit="mm", why=_PLATE)
    height_mm: float = number(
        4.0, 0.5, 50.0, "height; a log-pile takes the nearest whole layer", unit="mm", why=_PLATE
    )
    keep_from_mm: float = along_scan("the part begins so far above the structure's lowest point")
    keep_length_mm: float = along_scan("length of the structure kept from there; 0 keeps all")
    structure: Literal[
        "log-pile",
        "gyroid sheet",
        "gyroid network",
        "schwarz p network",
        "schwarz d network",
        "iwp network",
    ] = Field(default="log-pile", description="strands in layers, or a level set")
    needle_mm: float = number(0.4, 0.1, 1.6, "needle's inner diameter", unit="mm", why=_NEEDLE)
    strand_mm: float = number(0.4, 0.1, 2.0, "diameter of a strand", unit="mm", why=_NEEDLE)
    pore_mm: float = number(
        0.6,
        0.05,
        5.0,
        "gap between neighbouring strands of a layer",
        unit="mm",
        why="narrower gaps close while printing, strands sag over wider ones",
    )
    layer_height_mm: float = number(
        0.32,
        0.05,
        2.0,
        "from layer to layer; less than a strand, so that they fuse",
        unit="mm",
        why=_NEEDLE,
    )
    pattern: Literal["0/90", "0/0/90/90", "0/60/120", "0/45/90/135"] = Field(
        default="0/90", description="directions of the layers, degrees, from below"
    )
    offset: bool = Field(
        default=False,
        description="shift every second round of the pattern by half the strands' distance",
    )
    cell_mm: float = number(
        2.0,
        0.3,
        10.0,
        "period of a level set",
        unit="mm",
        why="finer is below what extrusion makes, coarser is no scaffold",
    )
    porosity: float = number(
        0.7,
        0.3,
        0.9,
        "void share of a level set",
        why="less has pores that close, more does not hold together",
    )
