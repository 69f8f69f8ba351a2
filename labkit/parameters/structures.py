"""Several structures in one line of text, each with what tells it apart."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from labkit.parameters.fields import PLACE, places

Structure = Literal["bone", "cortical bone", "soft tissue", "skin", "vessels", "teeth"]

_KIND = "|".join(get_args(Structure))
_ENTRY = rf"[^:;@]*[^:;@\s][^:;@]*(?::\s*(?:{_KIND})?\s*(?:-?\d+)?\s*)?(?:@{PLACE})*"
STRUCTURES = f"^(?:{_ENTRY}(?:;{_ENTRY})*)?$"
"""What a text of structures looks like."""

STRUCTURES_FORM = (
    "names, each once: name; name: kind threshold @ x, y, z; …, where kind is one of "
    + ", ".join(get_args(Structure))
)


@dataclass(frozen=True)
class NamedStructure:
    """One of several structures.

    Parameters
    ----------
    name : for a person; also the segment's name in a mask of another tool.
    kind : what it is made of; None where the text does not say.
    threshold_hu : None where the text does not say.
    seeds_lps_mm : text of the places in its pieces, as ``seeds_lps_mm`` of the stage has it.
    """

    name: str
    kind: Structure | None = None
    threshold_hu: int | None = None
    seeds_lps_mm: str = ""


def named_structures(text: str) -> tuple[NamedStructure, ...]:
    """The structures that ``name; name: kind threshold @ x, y, z`` names.

    A name that is a kind says its kind: ``teeth`` is ``teeth: teeth``.

    Raises
    ------
    ValueError
        Not such a text, a name that comes twice, or more than 20 of them.
    """
    if not re.fullmatch(STRUCTURES, text):
        raise ValueError(STRUCTURES_FORM)
    found = tuple(_named(entry) for entry in text.split(";") if text.strip())
    names = [one.name.casefold() for one in found]
    if len(set(names)) < len(names) or len(names) > 20:
        raise ValueError("up to 20 structures, each name once")
    return found


def _named(entry: str) -> NamedStructure:
    head, *seeds = entry.split("@")
    name, _, told = (" ".join(part.split()) for part in head.partition(":"))
    kinds: dict[str, Structure] = {kind: kind for kind in get_args(Structure)}
    number = re.search(r"-?\d+$", told)
    kind = told[: number.start()].strip() if number else told
    return NamedStructure(
        name=name,
        kind=kinds.get(kind or name.casefold()),
        threshold_hu=int(number[0]) if number else None,
        seeds_lps_mm="; ".join(
            ", ".join(str(n) for n in place) for place in places(";".join(seeds))
        ),
    )
