"""Decisions as they are written on a command line: ``STAGE.NAME=VALUE``."""

from collections.abc import Callable, Sequence
from typing import Any

import yaml

from labkit.errors import InputError
from labkit.parameters.fields import bounds, choices, unit, why
from labkit.parameters.validation import model_of


def read_decisions(
    texts: Sequence[str], stage_named: Callable[[str], str], device: str
) -> dict[str, dict[str, object]]:
    """``{stage: {parameter: value}}``; a text that does not fit its parameter stays a text.

    Parameters
    ----------
    stage_named : the full name of a stage from a short one.
    device : the device that was ordered: it settles which parameters a design has.

    Raises
    ------
    InputError
        A text of another form, or no such stage.
    """
    found: dict[str, dict[str, object]] = {}
    for text in texts:
        name, equals, words = text.partition("=")
        stage, dot, parameter = name.partition(".")
        if not equals or not dot:
            raise InputError(
                f"-p {text}",
                expected="-p STAGE.NAME=VALUE, for example segmentation.threshold_hu=250",
                where="labkit run",
                fix="write the stage, a point, the parameter's name, = and the value",
            )
        found.setdefault(stage_named(stage), {})[parameter] = words
    for stage, values in found.items():
        fields = model_of(stage, {"device": device, **values}).model_fields
        for parameter, value in values.items():
            field = fields.get(parameter)
            if field is not None and field.annotation in (int, float, bool):
                values[parameter] = _plain(str(value))
    return found


def listed(stage: str, device: str) -> list[dict[str, Any]]:
    """What can be decided in a stage, a row for each parameter: for a table."""
    rows = []
    for name, field in model_of(stage, {"device": device}).model_fields.items():
        low, high = bounds(field)
        span = "" if low is None or high is None else f"{low:g} to {high:g}"
        rows.append(
            {
                "name": name,
                "default": field.default,
                "unit": unit(field),
                "range": ", ".join(choices(field)) or span,
                "what it does": field.description or "",
                "why this range": why(field),
            }
        )
    return rows


def _plain(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:  # refused by name, as any other value that does not fit
        return text
