"""The exercise on the sample scan: its order, its scan, and the decisions that suit it."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from labkit.case import Order, read_order
from labkit.procedures.notebooks import shipped

DECISIONS: Mapping[str, Mapping[str, object]] = {
    "02_segmentation": {"components": 2},
    "03_design": {"keep_from_mm": 55.0},
    "04_slicing": {"layer_height_mm": 0.3, "infill_percent": 10},
}
"""Radius and ulna, their wrist ends, quick to print."""

CODE = "SAMPLE-"
"""How the case codes of the demo begin."""


def sample_order() -> Order:
    """The order of an exercise on the sample scan, with a case code of its own.

    A case of the same code and G-code would not be printed again.
    """
    order = read_order(shipped("sample_data") / "order.yaml")
    own = secrets.token_hex(2).upper()
    while own.isalpha():  # the form for orders takes a code without a digit for a name
        own = secrets.token_hex(2).upper()
    return order.model_copy(update={"case": f"{CODE}{own}"})


def is_sample(order: Order) -> bool:
    """Whether an order is an exercise on the sample scan."""
    return order.practice and order.case.startswith(CODE)


def sample_scan() -> Path:
    """The folder of the sample scan."""
    return shipped("sample_data") / "ct_forearm"
