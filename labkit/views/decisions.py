"""The parameters of a stage: to read when it runs alone, to set when a person is there."""

from collections.abc import Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from labkit.case import Caveat
from labkit.errors import LabkitError
from labkit.parameters import bounds, choices, unit
from labkit.views.words import Words, joined, message, table

_FIXED = {"case_dir"}
"""Settled before the notebook is open: shown nowhere as a choice."""


class Stage(Protocol):
    """What the panel needs of a stage."""

    @property
    def headless(self) -> bool:
        """Whether nobody is there to decide."""

    @property
    def parameters(self) -> BaseModel:
        """The values so far, in the stage's own model."""

    @property
    def caveats(self) -> Sequence[Caveat]:
        """What the stages before this one leave to know."""

    def accept(self, values: dict[str, Any], /) -> str:
        """Take the values over; what to tell the person, or a `LabkitError`."""


def panel(stage: Stage) -> Words | ipywidgets.VBox:
    """The stage's parameters: a table when headless, else fields and an Accept button.

    Above them stands what the stages before this one leave to know.

    Nothing is decided before *Accept* is pressed, and a change after it asks for it
    again.  What the stage refuses is shown as text below the button.
    """
    fields = {n: f for n, f in type(stage.parameters).model_fields.items() if n not in _FIXED}
    values = stage.parameters.model_dump()
    if stage.headless:
        rows = [(n, values[n], unit(f), _range(f), f.description or "") for n, f in fields.items()]
        shown = table(rows, ["parameter", "value", "unit", "range", "what it does"])
        return joined([message(text) for text in _inherited(stage)] + [shown])

    inputs = {name: _input(name, field, values[name]) for name, field in fields.items()}
    button = ipywidgets.Button(description="Accept", button_style="primary")
    answer = ipywidgets.HTML(_said("Set the values, then press Accept."))
    accepted: dict[str, Any] = {}

    def on_accept(_: ipywidgets.Button) -> None:
        chosen = values | {name: entry.value for name, entry in inputs.items()}
        accepted.clear()
        try:
            answer.value = _said(stage.accept(dict(chosen)))
        except LabkitError as error:
            answer.value = _said(f"Not accepted. {error}")
        else:
            accepted.update(chosen)

    def on_change(_: object) -> None:
        if accepted:
            accepted.clear()
            answer.value = _said("Changed: press Accept again.")

    button.on_click(on_accept)
    for entry in inputs.values():
        entry.observe(on_change, "value")
    lines = [ipywidgets.VBox([inputs[n], _help(f)]) for n, f in fields.items()]
    known = [ipywidgets.HTML(message(text).html) for text in _inherited(stage)]
    return ipywidgets.VBox([*known, *lines, button, answer])


def _inherited(stage: Stage) -> list[str]:
    return [f"▲ Caveat of {caveat.stage}: {caveat.text}" for caveat in stage.caveats]


def _input(name: str, field: FieldInfo, value: Any) -> ipywidgets.DOMWidget:
    # plain HTML fields: their labels are known to a screen reader, those of sliders are not
    low, high = bounds(field)
    look: dict[str, Any] = {
        "value": value,
        "description": f"{name} ({unit(field)})" if unit(field) else name,
        "style": {"description_width": "16em"},
        "layout": {"width": "34em"},
    }
    if words := choices(field):
        return ipywidgets.Dropdown(options=words, **look)
    if isinstance(value, bool):
        return ipywidgets.Checkbox(indent=True, **look)
    if isinstance(value, int) and low is not None and high is not None:
        return ipywidgets.BoundedIntText(min=int(low), max=int(high), **look)
    if isinstance(value, float) and low is not None and high is not None:
        return ipywidgets.BoundedFloatText(min=low, max=high, **look)
    if isinstance(value, int | float):
        return (ipywidgets.IntText if isinstance(value, int) else ipywidgets.FloatText)(**look)
    return ipywidgets.Text(**look)


def _help(field: FieldInfo) -> ipywidgets.HTML:
    words = "; ".join(part for part in (field.description or "", _range(field)) if part)
    return ipywidgets.HTML(f'<span style="margin-left: 16em">{escape(words)}</span>')


def _range(field: FieldInfo) -> str:
    if words := choices(field):
        return ", ".join(words)
    low, high = bounds(field)
    return "" if low is None or high is None else f"{low:.10g} to {high:.10g}"


def _said(text: str) -> str:
    return f'<p role="status" style="max-width: 60em">{escape(text)}</p>'
