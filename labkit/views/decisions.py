"""The parameters of a stage: to read when it runs alone, to set when a person is there."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from labkit.case import Caveat
from labkit.errors import LabkitError
from labkit.parameters import StageParameters, bounds, choices, model_of, unit, why
from labkit.views.presence import somebody_looks_on
from labkit.views.words import Words, joined, message, table

_FIXED = {"case_dir"}
"""Settled before the notebook is open: shown nowhere as a choice."""

_HERE = "the parameters"
_AS_THEY_ARE = "The cells below use these values. Change them, then press Use these values."


class Stage(Protocol):
    """What the panel needs of a stage."""

    @property
    def headless(self) -> bool:
        """Whether nobody is there to decide."""

    @property
    def left_open(self) -> dict[str, str]:
        """What a person has set and not used yet: where, and in words what."""

    @property
    def parameters(self) -> BaseModel:
        """The values so far, in the stage's own model."""

    @property
    def caveats(self) -> Sequence[Caveat]:
        """What the stages before this one leave to know."""

    def resume(self) -> str:
        """Take up what was decided last; in words what that was, or ""."""

    def accept(self, values: dict[str, Any], /) -> str:
        """Take the values over; what to tell the person, or a `LabkitError`."""


def panel(stage: Stage) -> Words | ipywidgets.VBox:
    """The stage's parameters: a table when headless, else fields and a button to use them.

    Above them stands what the stages before this one leave to know.

    Nothing changes for the cells below before *Use these values* is pressed, and a change
    after it asks for it again.  What the stage refuses is shown as text below the button.
    """
    taken_up = stage.resume() if somebody_looks_on() else ""
    values = stage.parameters.model_dump()
    if stage.headless:
        rows = [
            (n, values[n], unit(f), _range(f), _words(f))
            for n, f in _fields(type(stage.parameters)).items()
        ]
        shown = table(rows, ["parameter", "value", "unit", "range", "what it does"])
        return joined([message(text) for text in _inherited(stage)] + [shown])

    inputs: dict[str, ipywidgets.DOMWidget] = {}
    button = ipywidgets.Button(description="Use these values", button_style="primary")
    answer = ipywidgets.HTML(_said(taken_up or _AS_THEY_ARE))
    known = [ipywidgets.HTML(message(text).html) for text in _inherited(stage)]
    box = ipywidgets.VBox()
    used: dict[str, Any] = {}

    def on_use(_: ipywidgets.Button) -> None:
        now = changed()
        try:
            answer.value = _said(stage.accept(dict(now)))
        except LabkitError as error:
            answer.value = _said(f"Not used. {error}")
        else:
            used.update(now)
            stage.left_open.pop(_HERE, None)

    def changed() -> dict[str, Any]:
        # no others: what was decided elsewhere meanwhile, beside a picture, must stay
        now = {name: entry.value for name, entry in inputs.items()}
        return {n: value for n, value in now.items() if n not in used or used[n] != value}

    def on_change(_: object) -> None:
        if now := changed():
            stage.left_open[_HERE] = ", ".join(now)
            answer.value = _said(f"Changed: {stage.left_open[_HERE]}. Press Use these values.")
        else:
            stage.left_open.pop(_HERE, None)
            answer.value = _said(_AS_THEY_ARE)

    def on_other_model(_: object) -> None:
        fill({name: entry.value for name, entry in inputs.items()})
        on_change(_)

    def fill(now: Mapping[str, Any]) -> None:
        fields = _fields(_model(type(stage.parameters), now))
        inputs.clear()
        for name, field in fields.items():
            inputs[name] = _input(name, field, now.get(name, field.default))
            other = _chooses_model(field)
            inputs[name].observe(on_other_model if other else on_change, "value")
        lines = [ipywidgets.VBox([inputs[n], _help(f)]) for n, f in fields.items()]
        box.children = [*known, *lines, button, answer]

    button.on_click(on_use)
    fill(values)
    used.update({name: entry.value for name, entry in inputs.items()})
    return box


def _model(model: type[BaseModel], values: Mapping[str, Any]) -> type[BaseModel]:
    return model_of(model.stage, values) if issubclass(model, StageParameters) else model


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {name: field for name, field in model.model_fields.items() if name not in _FIXED}


def _chooses_model(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("chooses_model"))


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
    words = "; ".join(part for part in (_words(field), _range(field)) if part)
    return ipywidgets.HTML(f'<div style="margin-left: 16em">{escape(words)}</div>')


def _words(field: FieldInfo) -> str:
    reason = f" (range: {why(field)})" if why(field) else ""
    return (field.description or "") + reason


def _range(field: FieldInfo) -> str:
    if words := choices(field):
        return ", ".join(words)
    low, high = bounds(field)
    return "" if low is None or high is None else f"{low:.10g} to {high:.10g}"


def _said(text: str) -> str:
    return f'<p role="status" style="max-width: 60em">{escape(text)}</p>'
