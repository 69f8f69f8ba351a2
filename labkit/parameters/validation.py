"""Plain values become the parameters of a stage, or an error that names the nearest."""

import difflib
from collections.abc import Mapping
from math import isfinite
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from labkit.errors import ParameterError
from labkit.parameters.design import FAMILIES, Design
from labkit.parameters.fields import bounds, choices, form, unit, why
from labkit.parameters.inspection import Inspection
from labkit.parameters.printing import Printing
from labkit.parameters.scan import Scan
from labkit.parameters.segmentation import Segmentation
from labkit.parameters.slicing import Slicing
from labkit.parameters.stage import StageParameters
from labkit.parameters.traceability import Traceability

MODELS: dict[str, type[StageParameters]] = {
    model.stage: model
    for model in (Scan, Segmentation, Design, Slicing, Printing, Inspection, Traceability)
}
"""The model of each stage, by the stage's name: what its notebook's parameters cell holds."""


def model_of(stage: str, values: Mapping[str, object]) -> type[StageParameters]:
    """The model that these values of a stage belong to: for a design, that of its family."""
    if stage != Design.stage:
        return MODELS[stage]
    device = values.get("device", Design.model_fields["device"].default)
    return FAMILIES.get(str(device), Design)


def as_it_comes(stage: str, values: Mapping[str, object]) -> dict[str, Any]:
    """The value that each parameter of the model has where nobody decides otherwise."""
    fields = {**model_of(stage, values).model_fields, **MODELS[stage].model_fields}
    return {name: field.default for name, field in fields.items()}


def validated(stage: str, values: Mapping[str, object]) -> StageParameters:
    """The parameters of a stage, from plain values.

    Raises
    ------
    ParameterError
        A name that the stage does not know, or a value out of range: named, with
        the nearest that would do.
    """
    model = model_of(stage, values)
    if model is Design:  # no such family: that comes before its parameters
        values = {"device": values["device"]}
    for name in values:
        if name not in model.model_fields:
            raise ParameterError(
                f"{stage} has no parameter {name!r}",
                expected="one of " + ", ".join(model.model_fields),
                where=stage,
                fix=_nearest_name(name, list(model.model_fields)),
            )
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        field = model.model_fields[name]
        raise ParameterError(
            f"{name} = {values[name]!r}",
            expected=_allowed(field),
            where=stage,
            fix=_nearest_value(name, field, values[name]),
        ) from error


def _allowed(field: FieldInfo) -> str:
    if words := choices(field):
        return "one of " + ", ".join(words)
    if written := form(field):
        return written
    low, high = bounds(field)
    kinds: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false"}
    kind = kinds.get(field.annotation, "text")
    if low is None or high is None:
        return kind
    reason = f" ({why(field)})" if why(field) else ""
    return f"{kind} from {low:g} to {high:g} {unit(field)}".rstrip() + reason


def _nearest_name(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"the nearest name is {close[0]}" if close else "leave it out"


def _nearest_value(name: str, field: FieldInfo, value: Any) -> str:
    if words := choices(field):
        close = difflib.get_close_matches(str(value), words, n=1, cutoff=0.0)
        return f"the nearest valid value is {name} = {close[0]!r}"
    low, high = bounds(field)
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
        and low is not None
        and high is not None
    ):
        nearest = min(max(value, low), high)
        if field.annotation is int:
            nearest = round(nearest)
        return f"the nearest valid value is {name} = {nearest:g}"
    return f"the default is {name} = {field.default!r}"
