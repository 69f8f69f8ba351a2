"""All families of parts, by the device that an order names."""

from labkit.case import Order
from labkit.design import (
    anatomical_model,
    dosage_form,
    lattice,
    orthosis,
    prosthesis,
    scaffold,
    surgical_guide,
)
from labkit.design.family import Anatomy, Family
from labkit.design.part import Part
from labkit.errors import DesignError
from labkit.parameters import Design

FAMILIES: dict[str, Family] = {
    "anatomical model": anatomical_model.FAMILY,
    "surgical guide": surgical_guide.FAMILY,
    "dosage form": dosage_form.FAMILY,
    "lattice": lattice.FAMILY,
    "scaffold": scaffold.FAMILY,
    "orthosis": orthosis.FAMILY,
    "prosthesis": prosthesis.FAMILY,
}
"""The parameters of each are in `labkit.parameters.FAMILIES`, under the same name."""


def design_part(anatomy: Anatomy, parameters: Design, order: Order) -> Part:
    """The part that was ordered, plate frame mm.

    Raises
    ------
    DesignError
        Another device was ordered, or the part cannot be made as asked.
    """
    if parameters.device != order.device:
        raise DesignError(
            f"the design of a device {parameters.device!r}",
            expected=f"what was ordered: {order.device!r}",
            where="03_design, device",
            fix=f"set device to {order.device!r}, or have the order changed",
        )
    return FAMILIES[parameters.device].design(anatomy, parameters, order)
