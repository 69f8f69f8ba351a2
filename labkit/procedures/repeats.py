"""Whether a run made again what a person had made by hand: product by product."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labkit.files import hashes_below

OF_ITS_OWN = {"result.json", "parameters.yaml", "notebook.ipynb", "job.json", "record.pdf"}
"""Products that tell of their own making: who, when and how; no two are the same."""

TOLD_WITHIN = 1e-4
"""How far numbers told of the same print may differ, relative: a coordinate has five digits."""

_PRINTED, _TOLD = "part.gcode", "gcode.json"


@dataclass(frozen=True)
class Repeated:
    """One product, made twice."""

    name: str
    outcome: Literal[
        "the same bytes", "prints the same", "says the same", "different", "not made again"
    ]

    @property
    def is_equal(self) -> bool:
        """Whether the second is as good as the first."""
        return self.outcome in ("the same bytes", "prints the same", "says the same")


def repeated(by_hand: Path, again: Path) -> list[Repeated]:
    """Each product in a folder made by hand, beside that of the run that repeated it.

    G-code whose bytes differ is compared by what it prints: slicers do not always give the
    same bytes (`labkit.slicing.comparison`).  What is told of such G-code may differ in hashes,
    and in numbers by `TOLD_WITHIN`.
    """
    first = hashes_below(by_hand, relative_to=by_hand)
    second = hashes_below(again, relative_to=again)
    found: dict[str, Repeated] = {}
    for name, digest in first.items():
        if name in OF_ITS_OWN:
            continue
        if name not in second:
            outcome = "not made again"
        elif second[name] == digest:
            outcome = "the same bytes"
        elif name.endswith(".gcode") and _prints_the_same(by_hand / name, again / name):
            outcome = "prints the same"
        else:
            outcome = "different"
        found[name] = Repeated(name, outcome)  # type: ignore[arg-type]
    told, printed = found.get(_TOLD), found.get(_PRINTED)
    same_print = printed is not None and printed.is_equal
    if told and told.outcome == "different" and same_print and _says_the_same(by_hand, again):
        found[_TOLD] = Repeated(_TOLD, "says the same")
    return list(found.values())


def in_words(products: list[Repeated]) -> str:
    """What came of it, in one sentence."""
    equal = [one for one in products if one.is_equal]
    other = [f"{one.name} ({one.outcome})" for one in products if not one.is_equal]
    words = f"{len(equal)} of {len(products)} products as they were made by hand"
    return f"{words}; not so: {', '.join(other)}" if other else words


def _prints_the_same(one: Path, other: Path) -> bool:
    # read only where bytes differ: the reader takes a second to load
    from labkit.slicing.comparison import compare  # noqa: PLC0415
    from labkit.slicing.toolpath import read_toolpath  # noqa: PLC0415

    return compare(read_toolpath(one), read_toolpath(other)).verdict != "different"


def _says_the_same(one: Path, other: Path) -> bool:
    """Whether two folders tell the same of G-code that prints the same."""
    try:
        return _alike(*(json.loads((folder / _TOLD).read_bytes()) for folder in (one, other)))
    except ValueError:
        return False


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _alike(one[name], other[name]) for name in one if not name.endswith("sha256")
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):  # bytes, too
        return math.isclose(one, other, rel_tol=TOLD_WITHIN)
    return bool(one == other)
