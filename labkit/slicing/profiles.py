"""Printers and materials of the lab: plain files, checked, hashed for the record.

A profile is one YAML file.  The lab's own lie in ``LABKIT_HOME/profiles/printers``
and ``…/materials``; the kit brings a few small ones.  One of the lab's with the
same name wins.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labkit.errors import SlicingError
from labkit.home import home_folder

Positive = Annotated[float, Field(gt=0)]
Celsius = Annotated[float, Field(ge=0, le=500)]
Area = tuple[float, float]
Place = tuple[float, float, float]


class Profile(BaseModel):
    """What every profile has: a name, a version and a hash."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")
    version: str = Field(min_length=1)
    description: str = ""

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, the same however the file is laid out or commented."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


class PrinterProfile(Profile):
    """A printer with one extruder, in its own frame: mm from the origin of its axes."""

    firmware: Literal["marlin", "marlin2"]
    bed_min_mm: Area = Field(description="where a part may lie, x and y")
    bed_max_mm: Area
    volume_min_mm: Place = Field(description="where the nozzle may go, x, y and z")
    volume_max_mm: Place
    nozzle_mm: Positive
    max_feed_xy_mm_min: Positive
    max_feed_z_mm_min: Positive
    max_flow_mm3_s: Positive = Field(description="plastic that the hotend can melt")
    acceleration_mm_s2: Positive = Field(description="for the slicer's estimate of time")
    max_hotend_c: Celsius
    max_bed_c: Celsius
    start_gcode: str = Field(min_length=1, description="with the slicer's placeholders")
    end_gcode: str = Field(min_length=1)

    @model_validator(mode="after")
    def _boxes(self) -> Self:
        boxes = (self.bed_min_mm, self.bed_max_mm), (self.volume_min_mm, self.volume_max_mm)
        for low, high in boxes:
            if any(a >= b for a, b in zip(low, high, strict=True)):
                raise ValueError("a largest coordinate is not above the smallest")
        return self


class MaterialProfile(Profile):
    """A filament: what it is, the temperatures it bears, and those chosen."""

    filament_diameter_mm: Positive
    density_g_cm3: Positive
    hotend_min_c: Celsius
    hotend_max_c: Celsius
    bed_min_c: Celsius
    bed_max_c: Celsius
    hotend_c: Celsius
    hotend_first_layer_c: Celsius
    bed_c: Celsius
    bed_first_layer_c: Celsius
    fan_percent: float = Field(ge=0, le=100)
    price_eur_per_kg: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _windows(self) -> Self:
        for low, high, chosen in (
            (self.hotend_min_c, self.hotend_max_c, (self.hotend_c, self.hotend_first_layer_c)),
            (self.bed_min_c, self.bed_max_c, (self.bed_c, self.bed_first_layer_c)),
        ):
            if not all(low <= value <= high for value in chosen):
                raise ValueError(f"a chosen temperature lies outside {low:g} to {high:g} °C")
        return self


def printer(name: str) -> PrinterProfile:
    """The printer profile of this name: the lab's own, else the kit's.

    Raises
    ------
    SlicingError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return _profile(PrinterProfile, "printers", name)


def material(name: str) -> MaterialProfile:
    """The material profile of this name: the lab's own, else the kit's.

    Raises
    ------
    SlicingError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return _profile(MaterialProfile, "materials", name)


def known(kind: Literal["printers", "materials"]) -> dict[str, Path]:
    """``{name: file}`` of all profiles of a kind, by name."""
    folders = Path(__file__).parent / "profiles", home_folder() / "profiles"
    found = {path.stem: path for f in folders for path in (f / kind).glob("*.yaml")}
    return dict(sorted(found.items()))


Kind = TypeVar("Kind", bound=Profile)


def _profile(model: type[Kind], kind: Literal["printers", "materials"], name: str) -> Kind:
    files = known(kind)
    if name not in files:
        raise SlicingError(
            f"no profile {name!r} among the {kind}",
            expected="one of " + ", ".join(files),
            where=str(home_folder() / "profiles" / kind),
            fix="correct the name, or put the profile's file there",
        )
    try:
        profile = model.model_validate(yaml.safe_load(files[name].read_text(encoding="utf-8")))
        wrong = "" if profile.name == name else f"it calls itself {profile.name!r}"
    except (yaml.YAMLError, UnicodeDecodeError):
        wrong = "it cannot be read as YAML"
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        wrong = ": ".join(word for word in (field, first["msg"]) if word)
    if wrong:
        raise SlicingError(
            f"the profile {name} is not valid: {wrong}",
            expected=f"the fields of the kit's own {kind}",
            where=str(files[name]),
            fix="correct the file; labkit/slicing/profiles holds examples",
        )
    return profile
