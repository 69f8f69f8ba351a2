"""A made-up case whose part has been printed: a plain block, to be inspected."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import trimesh

from labkit.case import Case, Order
from labkit.design.part import Feature
from labkit.files import write_whole
from labkit.inspection import Item, plan
from labkit.stage import begin
from labkit.surface import write_stl

SIZE_MM = (20.0, 10.0, 5.0)
AROUND = ((-11.0, -6.0, -1.0), (11.0, 6.0, 6.0))
FEATURES = [
    Feature("block, width", "x", SIZE_MM[0], AROUND),
    Feature("block, depth", "y", SIZE_MM[1], AROUND),
    Feature("block, height", "z", SIZE_MM[2], AROUND, "depth gauge"),
]


def block() -> trimesh.Trimesh:
    """A block of 20 × 10 × 5 mm on the plate, over the origin."""
    made: trimesh.Trimesh = trimesh.creation.box(SIZE_MM)
    made.apply_translation((0, 0, SIZE_MM[2] / 2))
    return made


def features() -> list[dict[str, Any]]:
    """The block's dimensions as its record holds them."""
    return [feature.as_dict() for feature in FEATURES]


def items() -> list[Item]:
    """The plan of the block."""
    return plan(features())


def printed_case(root: Path, order: Order, *, practice: bool = True) -> Case:
    """A case up to its print; each tool path is 0.1 mm larger than its dimension."""
    case = Case.create(root, order.model_copy(update={"practice": practice}))
    coupon = replace(FEATURES[0], name="landing block, width", nominal_mm=10.0).as_dict()
    extents = {one.name: one.nominal_mm + 0.1 for one in FEATURES} | {coupon["name"]: 10.1}
    details: dict[str, dict[str, Any]] = {
        "03_design": {"features": features()},
        "04_slicing": {
            "coupon_features": {"landing-block": [coupon]},
            "toolpath_extents_mm": extents,
        },
        "05_printing": {"practice": practice},
    }
    for name, known in details.items():
        stage = begin(name, {"case_dir": str(root)})
        if name == "03_design":
            write_stl(block(), stage.output("part.stl"))
        else:
            write_whole(stage.output("made-up"), "made-up")
        stage.details = known
        stage.record()
    return case
