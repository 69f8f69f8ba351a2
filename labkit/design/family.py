"""What every family of parts gets, and what it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trimesh

from labkit.case import Order
from labkit.design.part import Part


@dataclass(frozen=True)
class Anatomy:
    """What of the patient a part is made from: LPS mm.

    Parameters
    ----------
    surface : closed, oriented outwards: the structure that was segmented.
    others : further structures of the same scan, by name; they share its boundaries.
    """

    surface: trimesh.Trimesh
    others: dict[str, trimesh.Trimesh] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """A family of parts.

    Parameters
    ----------
    design : the part from anatomy, the family's own parameters and the order.
    limits : what its parts are not good for, in words a person reads before approval.
    """

    design: Callable[[Anatomy, Any, Order], Part]
    limits: tuple[str, ...]
