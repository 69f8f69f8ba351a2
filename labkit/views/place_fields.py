"""Labelled fields that move one plane or one place in the patient, and words for where it is."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import numpy as np

from labkit.views.orientation import LPS
from labkit.volume import Array

STEP_MM = 10.0
"""From a place on a plane to the one that says which side is kept; any length would do."""

WIDE: dict[str, Any] = {"style": {"description_width": "15em"}, "layout": {"width": "25em"}}
_STEEPEST_DEG = 80.0

Moved = Callable[[Array], None]


def place_fields(item: Array, roles: Sequence[str], scale: str, moved: Moved) -> list[Any]:
    """Three fields for each of its places.

    Parameters
    ----------
    item : (k, 3) float64, LPS.
    roles : what each of them is.
    scale : its unit; empty for a direction.
    moved : called with the item as it is after a change.
    """
    item = item.copy()

    def field(n: int, axis: int) -> ipywidgets.FloatText:
        low, high = LPS[axis]
        entry = ipywidgets.FloatText(
            value=round(float(item[n, axis]), 2),
            step=1.0 if scale else 0.1,
            description=label(f"{roles[n]}: {low} −, {high} +", scale),
            **WIDE,
        )

        def changed(change: Any) -> None:
            item[n, axis] = change.new
            moved(item.copy())

        entry.observe(changed, "value")
        return entry

    return [row(*(field(n, axis) for axis in range(3))) for n in range(len(roles))]


class PlaneFields:
    """A plane by the side it keeps, where it is along that way, and two tilts.

    Parameters
    ----------
    item : (2, 3) float64, LPS mm: on the plane, and square to it on the side kept.
    middle : (3,) mm: of the surface; the plane is tilted about the point beside it.
    moved : called with the item as it is after a change.
    """

    def __init__(self, item: Array, middle: Array, moved: Moved) -> None:
        self._middle, self._moved = middle, moved
        normal = item[1] - item[0]
        axis = int(np.argmax(np.abs(normal)))
        sign = 1 if normal[axis] > 0 else -1
        others = _others(axis)
        at_mm = item[0, axis] - normal[others] @ (middle - item[0])[others] / normal[axis]
        tilts = np.degrees(np.arctan2(normal[others], abs(normal[axis])))
        ends = [
            (letter, (n, 2 * m - 1)) for n, two in enumerate(LPS) for m, letter in enumerate(two)
        ]
        self.side = ipywidgets.Dropdown(
            options=ends, value=(axis, sign), description="keeps the side towards", **WIDE
        )
        self.at = ipywidgets.FloatText(value=round(float(at_mm), 2), step=1.0, **WIDE)
        self.tilts = [
            ipywidgets.BoundedFloatText(
                value=round(float(tilt), 1), min=-_STEEPEST_DEG, max=_STEEPEST_DEG, step=1.0, **WIDE
            )
            for tilt in tilts
        ]
        self._name()
        self.side.observe(self._turned, "value")
        for entry in (self.at, *self.tilts):
            entry.observe(lambda _: self._moved(self.item), "value")
        self.rows = [row(self.side, self.at), row(*self.tilts)]

    @property
    def item(self) -> Array:
        """(2, 3) float64, LPS mm."""
        axis, sign = self.side.value
        normal = np.zeros(3)
        normal[axis] = sign
        normal[_others(axis)] = np.tan(np.radians([entry.value for entry in self.tilts]))
        on = self._middle.copy()
        on[axis] = self.at.value
        return np.array([on, on + STEP_MM * normal / np.linalg.norm(normal)])

    def _turned(self, change: Any) -> None:
        (before, _), (after, _) = change.old, change.new
        self._name()
        if before != after:
            self.at.value = round(float(self._middle[after]), 2)
        self._moved(self.item)

    def _name(self) -> None:
        axis, _ = self.side.value
        low, high = LPS[axis]
        self.at.description = label(f"at: {low} −, {high} +", "mm")
        for entry, other in zip(self.tilts, _others(axis), strict=True):
            entry.description = label(f"tilted towards {LPS[other][1]}", "°")


def said_plane(on: Array, normal: Array) -> str:
    """Where a plane is and what it keeps: LPS mm."""
    axis = int(np.argmax(np.abs(normal)))
    towards = LPS[axis][int(normal[axis] > 0)]
    tilt = np.degrees(np.arccos(min(1.0, abs(normal[axis]) / float(np.linalg.norm(normal)))))
    tilted = f", tilted by {tilt:.0f}°" if tilt >= 0.5 else ""
    return f"keeps the side towards {towards} of {said_mm(axis, on[axis])}{tilted}"


def said_places(points: Array) -> str:
    """Places with the patient's letters: (k, 3) LPS mm."""
    return "; ".join(", ".join(said_mm(n, mm) for n, mm in enumerate(place)) for place in points)


def said_mm(axis: int, mm: float) -> str:
    """A coordinate with its letter: *R 12.0 mm*."""
    return f"{LPS[axis][int(mm >= 0)]} {abs(mm):.1f} mm"


def text_of(item: Array) -> str:
    """Places as a parameter holds them."""
    return "; ".join(", ".join(f"{value:.2f}" for value in place) for place in item.tolist())


def label(name: str, scale: str) -> str:
    """What stands before a field."""
    return f"{name} ({scale})" if scale else name


def row(*entries: Any) -> ipywidgets.HBox:
    """Fields beside each other, in as many lines as they need."""
    return ipywidgets.HBox(entries, layout={"flex_flow": "row wrap"})


def _others(axis: int) -> list[int]:
    return [n for n in range(3) if n != axis]
