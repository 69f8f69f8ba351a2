"""The envelope of printed dosage forms, for research only."""

from typing import Literal

from pydantic import Field

from labkit.case import Device
from labkit.parameters.design.family import Design, device, number

_SWALLOWED = "from what a balance in a pharmacy weighs well to what nobody swallows"
_MASSES = r"^(?:\s*\d+(?:\.\d*)?\s*(?:;\s*\d+(?:\.\d*)?\s*)*)?$"


class DosageForm(Design):
    """Which shape, and how much of it."""

    device: Device = device("dosage form")
    shape: Literal["tablet", "caplet", "ring", "torus", "honeycomb", "patch"] = Field(
        default="tablet", description="flat tablet, long one, ring, torus, channels, or thin film"
    )
    given: Literal["mass", "volume"] = Field(
        default="mass", description="what the size follows from"
    )
    mass_mg: float = number(300.0, 5.0, 5000.0, "mass of one unit", unit="mg", why=_SWALLOWED)
    volume_mm3: float = number(250.0, 5.0, 5000.0, "volume of one unit", unit="mm³", why=_SWALLOWED)
    density_g_cm3: float = number(
        1.2,
        0.3,
        3.0,
        "density of the printed material",
        unit="g/cm³",
        why="foams to filled polymers; weigh a solid print rather than trust a data sheet",
    )
    filled_percent: float = number(
        100.0,
        20.0,
        100.0,
        "share of the volume that slicing fills, walls included",
        unit="%",
        why="below a fifth the walls alone are more",
    )
    yield_percent: float = number(
        100.0,
        80.0,
        110.0,
        "what a trial print weighed of what it should",
        unit="%",
        why="published: 89 to 94 % of 300 to 500 mg (MiniLab, 26 pharmacies); else find the cause",
    )
    surface_to_volume_per_mm: float = number(
        0.0,
        0.0,
        20.0,
        "surface over volume; 0 takes the proportions from aspect",
        unit="1/mm",
        why="films of a tenth of a millimetre have no more",
    )
    aspect: float = number(
        0.4,
        0.01,
        1.5,
        "height over width; of a torus, radius of the tube over that of the ring",
        why="a thin film to a pillar",
    )
    hole_share: float = number(
        0.5,
        0.2,
        0.9,
        "of a ring, inner over outer diameter; of a honeycomb, channel over its distance",
        why="smaller holes close while printing, wider ones leave no wall",
    )
    rings: int = Field(
        default=1,
        ge=1,
        le=4,
        description="rings of channels around the middle one of a honeycomb",
        json_schema_extra={"why": "61 channels are more than a print of this size resolves"},
    )
    trial_masses_mg: str = Field(
        default="",
        pattern=_MASSES,
        description="weighed units of a trial, 10 or 30: gives the acceptance value",
        json_schema_extra={"unit": "mg", "form": "m; m; m …, or nothing"},
    )
