"""What a scan must be like for a procedure: limits with their sources, as a profile.

The lab's own lie in ``LABKIT_HOME/profiles/protocols``.  A limit that a protocol leaves
out is not judged.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labkit.case import Verdict
from labkit.errors import ScanError
from labkit.profiles import Profile, known_profiles, profile_named

KIT = Path(__file__).parent
"""The folder of the kit's own."""

Source = Annotated[str, Field(min_length=1, description="clause, DOI or address; or labkit's own")]


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: Source


class AtMost(_Rule):
    """A value that is reported beyond ``action`` and fails beyond ``tolerance``."""

    action: float
    tolerance: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.tolerance is not None and self.tolerance < self.action:
            raise ValueError("the tolerance lies below the action level")
        return self

    def verdict(self, value: float) -> Verdict:
        """How a value stands to the two levels."""
        if value <= self.action:
            return "pass"
        return "action" if self.tolerance is None or value <= self.tolerance else "fail"

    def __str__(self) -> str:
        fails = "" if self.tolerance is None else f"≤ {self.tolerance:g}, "
        return f"{fails}action beyond {self.action:g}"


class AtLeast(_Rule):
    """A value that is reported under ``action`` and fails under ``tolerance``."""

    action: float
    tolerance: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.tolerance is not None and self.tolerance > self.action:
            raise ValueError("the tolerance lies above the action level")
        return self

    def verdict(self, value: float) -> Verdict:
        """How a value stands to the two levels."""
        if value >= self.action:
            return "pass"
        return "action" if self.tolerance is None or value >= self.tolerance else "fail"

    def __str__(self) -> str:
        fails = "" if self.tolerance is None else f"≥ {self.tolerance:g}, "
        return f"{fails}action under {self.action:g}"


class Between(_Rule):
    """A value that is reported outside ``low`` to ``high``."""

    low: float
    high: float

    def verdict(self, value: float) -> Verdict:
        """Whether a value lies between the two."""
        return "pass" if self.low <= value <= self.high else "action"

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


class OneOf(_Rule):
    """A word of ``allowed``; any other has the verdict ``otherwise``."""

    allowed: tuple[str, ...] = Field(min_length=1)
    otherwise: Literal["action", "fail"] = "action"

    def verdict(self, value: str) -> Verdict:
        """Whether a word is allowed."""
        return "pass" if value in self.allowed else self.otherwise

    def __str__(self) -> str:
        return " or ".join(self.allowed)


class Protocol(Profile):
    """The limits of one kind of procedure."""

    modality: OneOf | None = None
    slice_spacing_mm: AtMost | None = None
    slice_thickness_mm: AtMost | None = None
    pixel_spacing_mm: AtMost | None = None
    matrix: AtLeast | None = Field(default=None, description="the shorter side, pixels")
    kernel: OneOf | None = Field(default=None, description="soft or sharp")
    contrast_agent: OneOf | None = Field(default=None, description="yes or no")
    tube_voltage_kv: Between | None = None
    tilt_deg: AtMost | None = Field(default=None, description="gantry tilt that was straightened")
    interpolated_share: AtMost | None = Field(default=None, description="slices without an image")
    body_cut_mm: AtMost | None = Field(default=None, description="at the border of an image")
    bone_cut_mm2: AtMost | None = Field(default=None, description="where it leaves the scan")
    noise_hu: AtMost | None = None
    contrast_to_noise: AtLeast | None = Field(default=None, description="of bone in soft tissue")
    metal_mm3: AtMost | None = None
    motion_mm: AtMost | None = Field(default=None, description="jump of the outline")


def protocol_named(name: str) -> Protocol:
    """The protocol of this name: the lab's own, else the kit's.

    Raises
    ------
    ScanError
        No such protocol (the known ones are listed), or its file is not valid.
    """
    return profile_named(Protocol, "protocols", name, KIT, ScanError)


def known_protocols() -> dict[str, Path]:
    """``{name: file}`` of all protocols, by name."""
    return known_profiles("protocols", KIT)
