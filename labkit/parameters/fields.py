"""What the declaration of a parameter says: bounds, unit, choices, places."""

from typing import get_args

from pydantic.fields import FieldInfo

_NUMBER = r"\s*-?\d+(?:\.\d*)?\s*"
PLACE = f"{_NUMBER},{_NUMBER},{_NUMBER}"
PLACES = f"^(?:{PLACE}(?:;{PLACE})*)?$"
"""What a text of places looks like: ``x, y, z; x, y, z``, or nothing."""
PLACE_PAIRS = f"^(?:{PLACE};{PLACE}(?:;{PLACE};{PLACE})*)?$"
"""Places in pairs, or nothing."""


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """The lowest and highest value a field allows; None where it is open."""
    low = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), None)
    high = next((rule.le for rule in field.metadata if hasattr(rule, "le")), None)
    return low, high


def unit(field: FieldInfo) -> str:
    """The unit of a field, or an empty string."""
    return _extra(field, "unit")


def why(field: FieldInfo) -> str:
    """Why a field's range ends where it does, or an empty string."""
    return _extra(field, "why")


def is_path(field: FieldInfo) -> bool:
    """Whether a field names a place on this machine."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("path"))


def kept_as(field: FieldInfo) -> str:
    """The product that holds what a path parameter named; empty where none does."""
    return _extra(field, "kept_as")


def named_in(field: FieldInfo) -> str:
    """Where the names that a field takes are listed, or an empty string.

    ``printers``, ``materials``, ``qualities``, ``protocols``: profiles; ``fleet``: the lab's
    own printers.
    """
    return _extra(field, "named_in")


def form(field: FieldInfo) -> str:
    """How the text of a field is written; empty where any text does."""
    return _extra(field, "form")


def places(text: str) -> tuple[tuple[float, float, float], ...]:
    """The places that ``x, y, z; x, y, z`` names."""
    found = []
    for place in text.split(";") if text.strip() else []:
        x, y, z = (float(number) for number in place.split(","))
        found.append((x, y, z))
    return tuple(found)


def choices(field: FieldInfo) -> tuple[str, ...]:
    """What a field of fixed words allows; empty for any other field."""
    return tuple(str(word) for word in get_args(field.annotation))


def _extra(field: FieldInfo, name: str) -> str:
    extra = field.json_schema_extra
    return str(extra.get(name, "")) if isinstance(extra, dict) else ""
