"""The parameters of a stage: to read when it runs alone, to set when a person is there."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from labkit import drafts, equipment
from labkit.case import Caveat
from labkit.errors import LabkitError
from labkit.parameters import StageParameters, bounds, choices, model_of, named_in, unit, why
from labkit.printing.printers import registered_printers
from labkit.procedures.by_hand import notebook_for
from labkit.protocols import known_protocols
from labkit.views.deciding import Deciding, said
from labkit.views.opening import Opener
from labkit.views.presence import in_staff_view, somebody_looks_on
from labkit.views.words import Words, joined, message, table

_FIXED = {"case_dir"}
"""Settled before the notebook is open: shown nowhere as a choice."""

_ASKED_LAST = {"operator"}
"""Asked for beside *Accept* (`labkit.views.records`), so not here."""

_HERE = "the parameters"
_AS_THEY_ARE = "These values are used. Change them, then press Use these values."


class Stage(Deciding, drafts.Stage, Protocol):
    """What the panel needs of a stage."""

    @property
    def caveats(self) -> Sequence[Caveat]:
        """What the stages before this one leave to know."""

    def resume(self) -> str:
        """Take up what was decided last; in words what that was, or ""."""


def panel(stage: Stage) -> Words | ipywidgets.VBox:
    """The stage's parameters: a table when headless, else fields and a button to use them.

    Above them stands what the stages before this one leave to know.

    Nothing changes for the cells below before *Use these values* is pressed, and a change
    after it asks for it again.  What the stage refuses is shown as text below the button.
    """
    taken_up = ""
    if somebody_looks_on():
        taken_up = (in_staff_view() and drafts.take_up(stage)) or stage.resume()
    values = stage.parameters.model_dump()
    if stage.headless:
        rows = [
            (n, values[n], unit(f), _range(f), _words(f))
            for n, f in _fields(type(stage.parameters)).items()
        ]
        shown = table(rows, ["parameter", "value", "unit", "range", "what it does"])
        return joined([message(text) for text in _inherited(stage)] + [shown])

    return _Panel(stage, values, taken_up).box


class _Panel:
    """The fields, the button that uses them, and what to tell of it."""

    def __init__(self, stage: Stage, values: Mapping[str, Any], taken_up: str) -> None:
        self._stage = stage
        self._inputs: dict[str, ipywidgets.DOMWidget] = {}
        self._known = [ipywidgets.HTML(message(text).html) for text in _inherited(stage)]
        self._answer = ipywidgets.HTML(said(taken_up or _AS_THEY_ARE))
        self._rare = ipywidgets.VBox()
        self._more = ipywidgets.Button(layout={"width": "auto", "align_self": "flex-start"})
        self._more.on_click(lambda _: self._fold(self._rare.layout.display is None))
        self._button = ipywidgets.Button(description="Use these values", button_style="primary")
        self._button.on_click(lambda _: self._use())
        self._opener = Opener() if in_staff_view() else None
        self.box = ipywidgets.VBox()
        self._fill(values)
        self._used = self._now()

    def _now(self) -> dict[str, Any]:
        return {name: entry.value for name, entry in self._inputs.items()}

    def _changed(self) -> dict[str, Any]:
        # no others: what was decided elsewhere meanwhile, beside a picture, must stay
        used = self._used
        return {n: v for n, v in self._now().items() if n not in used or used[n] != v}

    def _use(self) -> None:
        now = self._changed()
        try:
            self._answer.value = said(self._stage.accept(dict(now)))
        except LabkitError as error:
            self._answer.value = said(f"Not used. {error}")
        else:
            self._used.update(now)
            self._stage.left_open.pop(_HERE, None)
            if self._opener is not None:
                self._draw_anew(self._opener)

    def _draw_anew(self, opener: Opener) -> None:
        """Open the page again: without code nobody can run the cells below once more."""
        stage = self._stage
        try:
            drafts.put_by(stage)
            opener.open(notebook_for(stage.case, stage.name), "the page with these values")
        except LabkitError as error:
            self._answer.value = said(f"Used by Accept, and not drawn yet. {error}")
        else:
            self._answer.value = said("Used. The page is drawn anew with these values …")

    def _on_change(self, _: object) -> None:
        if now := self._changed():
            self._stage.left_open[_HERE] = ", ".join(now)
            self._answer.value = said(f"Changed: {', '.join(now)}. Press Use these values.")
        else:
            self._stage.left_open.pop(_HERE, None)
            self._answer.value = said(_AS_THEY_ARE)

    def _on_other_model(self, _: object) -> None:
        self._fill(self._now())
        self._on_change(_)

    def _fill(self, now: Mapping[str, Any]) -> None:
        model = _model(type(self._stage.parameters), now)
        fields = {n: f for n, f in _fields(model).items() if n not in _ASKED_LAST}
        self._inputs.clear()
        for name, field in fields.items():
            entry = self._inputs[name] = _input(name, field, now.get(name, field.default))
            other = _chooses_model(field)
            entry.observe(self._on_other_model if other else self._on_change, "value")
        lines = {n: ipywidgets.VBox([self._inputs[n], _help(f)]) for n, f in fields.items()}
        folded = [n for n in fields if n in _rare(model) and now.get(n) == fields[n].default]
        self._rare.children = [lines[name] for name in folded]
        self._fold(True)
        seen = [line for name, line in lines.items() if name not in folded]
        more = [self._more, self._rare] if folded else []
        below = [self._button, self._answer, *([self._opener.widget] if self._opener else [])]
        self.box.children = [*self._known, *seen, *more, *below]

    def _fold(self, away: bool) -> None:
        self._rare.layout.display = "none" if away else None
        word = "Show" if away else "Hide"
        self._more.description = f"{word} {len(self._rare.children)} more values"


def _model(model: type[BaseModel], values: Mapping[str, Any]) -> type[BaseModel]:
    return model_of(model.stage, values) if issubclass(model, StageParameters) else model


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {name: field for name, field in model.model_fields.items() if name not in _FIXED}


def _rare(model: type[BaseModel]) -> frozenset[str]:
    return model.rare if issubclass(model, StageParameters) else frozenset()


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
    if listed := named_in(field):
        return ipywidgets.Combobox(options=_names(listed), **look)
    if isinstance(value, bool):
        return ipywidgets.Checkbox(indent=True, **look)
    if isinstance(value, int) and low is not None and high is not None:
        return ipywidgets.BoundedIntText(min=int(low), max=int(high), **look)
    if isinstance(value, float) and low is not None and high is not None:
        return ipywidgets.BoundedFloatText(min=low, max=high, **look)
    if isinstance(value, int | float):
        return (ipywidgets.IntText if isinstance(value, int) else ipywidgets.FloatText)(**look)
    return ipywidgets.Text(**look)


def _names(listed: str) -> tuple[str, ...]:
    """The names that one may choose from; another one is refused by the stage."""
    try:
        if listed == "protocols":
            return tuple(known_protocols())
        if listed == "fleet":
            return ("practice", *registered_printers())
        return tuple(equipment.known(listed))  # type: ignore[arg-type]
    except LabkitError:  # a faulty list: the stage says so when a name of it is used
        return ()


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
