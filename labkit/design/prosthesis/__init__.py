"""Prosthesis: a socket around a residual limb, or hand parts scaled to a person."""

from labkit.case import Order
from labkit.design.family import Anatomy, Family
from labkit.design.part import Part
from labkit.design.prosthesis.hand_parts import design_hand_parts
from labkit.design.prosthesis.socket import design_socket
from labkit.parameters.design.prosthesis import Prosthesis


def design_prosthesis(anatomy: Anatomy, parameters: Prosthesis, order: Order) -> Part:
    """The socket, or the scaled parts, plate frame mm.

    Raises
    ------
    DesignError
        What was asked for does not fit the limb or the parts.
    """
    if parameters.kind == "socket":
        return design_socket(anatomy, parameters, order)
    return design_hand_parts(parameters, order)


FAMILY = Family(
    design_prosthesis,
    limits=(
        "A prototype: a qualified person fits and releases it; no strength is proved.",
        "A socket follows the limb as it lay in the scanner, without load.",
        "Hand parts: joints that are not round bores scale with the part.",
        "A plan of sizes is an expectation: measure the child at every visit.",
    ),
)
