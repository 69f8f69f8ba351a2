"""What printers, materials and qualities have in common: a source, and settings of their own."""

import re
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from labkit.profiles import Profile

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Celsius = Annotated[float, Field(ge=0, le=500)]

_PLAIN = re.compile(r"[A-Za-z0-9.,%_-]{1,40}")
"""Numbers, shares and words of PrusaSlicer's lists; no text, no path, no placeholder."""


class SourcedProfile(Profile):
    """A profile that says where its values come from.

    ``prusaslicer`` holds further settings of PrusaSlicer, by its own names; which ones is
    a closed list for each kind of profile, `own_settings`: numbers and choices of its
    lists, nothing that runs, reaches or names something.
    """

    own_settings: ClassVar[frozenset[str]] = frozenset()

    source: str = Field(default="", description="where the values come from")
    prusaslicer: dict[str, str] = Field(
        default_factory=dict, description="further settings, by PrusaSlicer's names"
    )

    @model_validator(mode="after")
    def _harmless(self) -> Self:
        for key, value in self.prusaslicer.items():
            if not self.takes(key, value):
                raise ValueError(f"prusaslicer: {key} = {value[:40]} is not a setting to keep here")
        return self

    @classmethod
    def takes(cls, key: str, value: str) -> bool:
        """Whether a setting of PrusaSlicer may stand in ``prusaslicer`` of such a profile."""
        return key in cls.own_settings and bool(_PLAIN.fullmatch(value))
