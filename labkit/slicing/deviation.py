"""What is not as it should be in a tool path: which rule, where, how much, against which limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

MOST_OF_A_RULE = 10

Severity = Literal["fail", "warn"]


class Heights(Protocol):
    """Layers, as far as a deviation needs them."""

    @property
    def z_mm(self) -> npt.NDArray[np.float64]:
        """(n,) float64, the top of each layer."""

    @property
    def first_line(self) -> npt.NDArray[np.int64]:
        """(n,) int64: the first line of each."""


@dataclass(frozen=True)
class Deviation:
    """One deviation, in one layer or several that follow each other.

    Parameters
    ----------
    severity : "fail", or "warn" for what a person should look at.
    rule : its short name.
    layer, layers : number of the first layer, from 0, and how many; −1 for the whole file.
    z_mm : top of the first layer.
    line : in the file, from 1; 0 where no single line is to blame.
    place_mm : x and y, printer frame, of the worst place; None for a whole layer.
    value, limit, unit : what was found where it is worst, and what is allowed.
    message : in words.
    """

    severity: Severity
    rule: str
    message: str
    value: float
    limit: float
    unit: str
    layer: int = -1
    layers: int = 1
    z_mm: float = 0.0
    line: int = 0
    place_mm: tuple[float, float] | None = None

    @property
    def where(self) -> str:
        """Layer, counted from 1 as people do, height, line and place in words."""
        words = []
        if self.layer >= 0:
            last = f" to {self.layer + self.layers}" if self.layers > 1 else ""
            words.append(f"layer {self.layer + 1}{last}, z {self.z_mm:.2f} mm")
        if self.place_mm:
            words.append(f"x {self.place_mm[0]:.1f} y {self.place_mm[1]:.1f} mm")
        if self.line:
            words.append(f"line {self.line}")
        return ", ".join(words) or "the whole file"

    def as_row(self) -> dict[str, Any]:
        """For a table or a record."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "where": self.where,
            "found": f"{self.value:.4g} {self.unit}".strip(),
            "limit": f"{self.limit:.4g} {self.unit}".strip(),
            "message": self.message,
        }


def in_layers(
    heights: Heights,
    rule: str,
    first: int,
    count: int,
    value: float,
    limit: float,
    unit: str,
    message: str,
    place_mm: tuple[float, float] | None = None,
    line: int = 0,
) -> Deviation:
    """What fails in ``count`` layers from ``first``; in the first line of that, if no other."""
    line = line or int(heights.first_line[first])
    z_mm = float(heights.z_mm[first])
    return Deviation("fail", rule, message, value, limit, unit, first, count, z_mm, line, place_mm)


def runs(layers: npt.ArrayLike) -> list[tuple[int, int]]:
    """First number and length of each stretch of whole numbers that follow each other."""
    numbers = np.unique(np.asarray(layers, np.int64))
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return [(int(part[0]), len(part)) for part in parts if len(part)]


def worst(found: Sequence[Deviation]) -> tuple[Deviation, ...]:
    """At most ten of each rule, those first in the file kept, in the order of the layers."""
    kept: dict[tuple[str, str], list[Deviation]] = {}
    for one in found:
        kept.setdefault((one.severity, one.rule), []).append(one)
    few = [one for many in kept.values() for one in many[:MOST_OF_A_RULE]]
    return tuple(sorted(few, key=lambda one: (one.severity, one.layer, one.line)))
