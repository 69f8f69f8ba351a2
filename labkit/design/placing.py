"""Where in the patient a part begins, ends and is cut: what the parameters of a family place.

A person moves these before the part is made; nothing here makes a part.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from labkit.case import Order
from labkit.design.cutting import HalfSpace, half_spaces, lengthwise
from labkit.design.family import Anatomy
from labkit.design.limb import Limb, limb_of
from labkit.design.mirroring import placed
from labkit.errors import DesignError
from labkit.parameters import (
    AnatomicalModel,
    Design,
    Lattice,
    Orthosis,
    Prosthesis,
    Scaffold,
    places,
)
from labkit.parameters.design.fitted import Fitted
from labkit.volume import Array

Kind = Literal["plane", "box", "places", "direction"]


@dataclass(frozen=True)
class Group:
    """What one parameter places, as a text: each time the same number of places, in order.

    Parameters
    ----------
    name : what a person calls one of them.
    kind : how it is to be shown.
    roles : what each of its places is; of a plane, one on it and one on the side that is kept.
    most : how many there may be.
    """

    name: str
    kind: Kind
    roles: tuple[str, ...]
    most: int = 100

    def items(self, text: str) -> list[Array]:
        """Each of them, (len(roles), 3) mm; a text of another number of places is none."""
        found = np.array(places(text), float).reshape(-1, 3)
        if len(found) % len(self.roles):
            return []
        return list(found.reshape(-1, len(self.roles), 3))


_GROUPS = {
    "keep_box_lps_mm": Group("box that is kept", "box", ("one corner", "other corner"), 1),
    "cut_planes_lps_mm": Group("cutting plane", "plane", ("on it", "on the side kept")),
    "trajectories_lps_mm": Group("hole to drill", "places", ("entry", "deeper")),
    "slots_lps_mm": Group("cut to saw", "places", ("one end", "other end", "deeper")),
    "windows_lps_mm": Group("window", "places", ("place",)),
    "region_lps_mm": Group("place of the contact", "places", ("place",)),
    "insertion_lps": Group("direction of insertion", "direction", ("direction",), 1),
    "relief_lps_mm": Group("place not to be pressed", "places", ("place",)),
    "grading_places_lps_mm": Group("start of the grading", "places", ("place",)),
    "drain_places_lps_mm": Group("drain", "places", ("place",)),
}
_FIELDS = (
    *("keep_from_mm", "keep_length_mm", "section", "section_percent"),
    *("from_mm", "length_mm", "split_deg"),
)


@dataclass(frozen=True)
class Shape:
    """Something placed in the patient, LPS mm.

    Parameters
    ----------
    parameter : the name of the parameter that places it.
    name : what a person calls it.
    points : (k, 3) float64; of a plane one on it and one a millimetre or more further, square
        to it; of a box two corners; of a direction itself alone.
    number : which of those that the parameter places, from 0.
    """

    parameter: str
    name: str
    kind: Kind
    points: Array
    number: int = 0


class Placement:
    """What a person may place of a part, and where it is.

    Parameters
    ----------
    anatomy : the patient's surfaces, LPS mm.
    parameters : as decided so far, with the places of files that they name.
    """

    def __init__(self, anatomy: Anatomy, parameters: Design, order: Order) -> None:
        self.surface = anatomy.surface
        self.parameters = parameters
        names = type(parameters).model_fields
        self.groups = {name: group for name, group in _GROUPS.items() if name in names}
        self.fields = tuple(name for name in _FIELDS if name in names)
        self._limb: Limb | None = None
        self._fault: DesignError | None = None
        if isinstance(parameters, Prosthesis):  # a socket begins at the limb's end
            self.fields = () if parameters.kind == "hand parts" else ("length_mm",)
        if isinstance(parameters, Fitted) and self.fields:
            shortest = parameters.model_copy(update={"from_mm": 0.0, "length_mm": 0.0})
            try:
                self._limb = limb_of(anatomy, shortest, order, turn_deg=0.0)
                self.surface = placed(self._limb.surface, self._limb.to_source)
            except DesignError as error:
                self._fault = error

    def shapes(self, parameters: Design) -> list[Shape]:
        """All that these parameters place.

        Raises
        ------
        DesignError
            A box without two corners, a plane without a direction, or a limb that no part
            can be made around.
        """
        if self._fault:
            raise self._fault
        found = self._ends(parameters)
        for name, group in self.groups.items():
            items = group.items(getattr(parameters, name))
            several = len(items) > 1
            found += [
                Shape(name, f"{group.name} {n + 1}" if several else group.name, group.kind, item, n)
                for n, item in enumerate(items)
            ]
        return found

    def kept(self, parameters: Design) -> list[HalfSpace]:
        """What is kept of the surface: within all of these, LPS mm.

        Raises
        ------
        DesignError
            A box without two corners, or a plane without a direction.
        """
        low, high = self.surface.bounds
        if isinstance(parameters, AnatomicalModel):
            return half_spaces(low, high, parameters)
        if isinstance(parameters, Lattice | Scaffold):
            outside = parameters.envelope if isinstance(parameters, Lattice) else parameters.shape
            if outside != "anatomy":
                return []
            return lengthwise(float(low[2]), parameters.keep_from_mm, parameters.keep_length_mm)
        if self._limb is None or not isinstance(parameters, Fitted):
            return []
        begin = 0.0 if isinstance(parameters, Prosthesis) else parameters.from_mm
        along, at = self._limb.to_source[:3, 2], self._limb.to_source[:3, 3]
        start = float(along @ at) + begin
        return [HalfSpace(along, start), HalfSpace(-along, -(start + parameters.length_mm))]

    def _ends(self, parameters: Design) -> list[Shape]:
        """The planes that numbers place: where the part begins, ends and is opened."""
        kept = self.kept(parameters)
        found: list[Shape] = []
        lengths = ("from_mm", "length_mm") if self._limb else ("keep_from_mm", "keep_length_mm")
        for name, words, space in zip(lengths, ("beginning", "end"), kept, strict=False):
            if name in self.fields and getattr(parameters, name):
                found.append(self._plane(name, words, space))
        if isinstance(parameters, AnatomicalModel) and parameters.section != "none":
            axis = ("sagittal", "coronal").index(parameters.section)
            inside = np.min([each.depth_mm(self.surface.vertices) for each in kept], axis=0) >= 0
            values = self.surface.vertices[inside, axis]
            if not len(values):
                raise DesignError(
                    "nothing left of the surface",
                    expected="places that keep some of it",
                    where="03_design, what is kept",
                    fix="move the beginning, the end, the box or the planes",
                )
            at = values.min() + np.ptp(values) * parameters.section_percent / 100
            found.append(
                self._plane("section_percent", "section", HalfSpace(np.eye(3)[axis], float(at)))
            )
        if self._limb and isinstance(parameters, Orthosis):
            turn = np.radians(parameters.split_deg)
            x, y = self._limb.to_source[:3, :2].T
            # the limb's frame is turned before it is mirrored
            normal = np.cos(turn) * y - np.sin(turn) * (-x if parameters.mirror else x)
            across = self.surface.vertices @ normal
            through = float(across.min() + across.max()) / 2
            found.append(self._plane("split_deg", "parting plane", HalfSpace(normal, through)))
        return found

    def _plane(self, parameter: str, name: str, space: HalfSpace) -> Shape:
        middle = self.surface.bounds.mean(axis=0)
        on = middle - space.normal * (middle @ space.normal - space.offset_mm)
        return Shape(parameter, name, "plane", np.array([on, on + space.normal]))
