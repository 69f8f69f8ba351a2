"""A new case from an order: a form made of what an order must hold."""

import re
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from labkit.case import Case, Order, read_order
from labkit.errors import LabkitError
from labkit.parameters import choices
from labkit.parameters.fields import form
from labkit.procedures.sample import sample_order
from labkit.views.print_style import QUIET, WRONG

_STYLE = {"description_width": "12em"}
_CHOOSE = "– choose –"
_LABELS = {"case": "case code", "laterality": "side", "practice": "practice case"}
_CODES = ("case", "patient_code")
_PERSONAL = re.compile(r"\^|\d{6}|\b\d{1,4}[-./]\d{1,2}[-./]\d{2,4}\b")
"""What hardly stands in an order's words but a name as DICOM writes it, a number or a date."""
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class OrderForm:
    """The form; one line per field of an order, with what is wrong beside it.

    Parameters
    ----------
    cases_dir : where the case folder goes.
    made : told of a case that was made.
    """

    def __init__(self, cases_dir: Path, made: Callable[[Case], None]) -> None:
        self._cases_dir, self._made = cases_dir, made
        self._proposed = ""
        self.fields: dict[str, Any] = {
            name: _entry(name, field) for name, field in Order.model_fields.items()
        }
        self.folder = ipywidgets.Text(
            description="folder *", style=_STYLE, layout={"width": "36em"}
        )
        self.faults = {name: ipywidgets.HTML() for name in (*self.fields, "folder")}
        self.make = ipywidgets.Button(
            description="Make the case", button_style="primary", layout={"width": "auto"}
        )
        self.exercise = ipywidgets.Button(
            description="Fill in a practice case on the sample scan", layout={"width": "auto"}
        )
        self.answer = ipywidgets.HTML()
        self.fields["case"].observe(lambda _: self._propose(), "value")
        self.make.on_click(lambda _: self._make())
        self.exercise.on_click(lambda _: self._fill())
        lines = [self._line(name, self.fields[name], _help(f)) for name, f in _known().items()]
        about = "the name of the case folder: the code, never the patient's name"
        lines.append(self._line("folder", self.folder, about))
        buttons = ipywidgets.HBox([self.make, self.exercise])
        marked = ipywidgets.HTML("<p>Fields with * are needed.</p>")
        self.widget = ipywidgets.VBox([marked, *lines, buttons, self.answer])
        self.widget.add_class("labkit-fleet")
        self.widget.add_class("labkit-start")

    def _line(self, name: str, entry: Any, about: str) -> ipywidgets.VBox:
        told = ipywidgets.HTML(
            f'<span style="color: {QUIET}">{escape(about)}</span>', layout={"width": "30em"}
        )
        row = ipywidgets.HBox(
            [entry, told], layout={"flex_flow": "row wrap", "align_items": "center"}
        )
        return ipywidgets.VBox([row, self.faults[name]])

    @property
    def _values(self) -> dict[str, Any]:
        values = {name: entry.value for name, entry in self.fields.items()}
        return {n: v.strip() if isinstance(v, str) else v for n, v in values.items()}

    def _propose(self) -> None:
        """The folder follows the code until a person names it otherwise."""
        if self.folder.value in ("", self._proposed):
            self._proposed = self.fields["case"].value.strip()
            self.folder.value = self._proposed

    def _fill(self) -> None:
        try:
            order = sample_order()
        except LabkitError as error:
            self.answer.value = _fault(str(error))
            return
        for name, value in order.model_dump().items():
            self.fields[name].value = value
        self.folder.value = self._proposed = order.case
        self._show({})
        self.answer.value = _status("Filled in. Nothing is written yet: press Make the case.")

    def _make(self) -> None:
        values, folder = self._values, self.folder.value.strip()
        faults = faults_of(values)
        if not _FOLDER.fullmatch(folder):
            faults["folder"] = "a plain name: letters, digits, -, _ and points; no spaces"
        elif folder != values["case"] and (_PERSONAL.search(folder) or _no_code(folder)):
            faults["folder"] = "looks like a name, a number or a date: use the case code"
        elif (self._cases_dir / folder).exists():
            faults["folder"] = "a folder of that name is there already: choose another name"
        if "case" not in faults and values["case"] in codes_below(self._cases_dir):
            faults["case"] = "another case of this lab has this code: choose another one"
        self._show(faults)
        if faults:
            count = "One field is" if len(faults) == 1 else f"{len(faults)} fields are"
            self.answer.value = _fault(f"No case was made. {count} to be corrected.")
            return
        try:
            case = Case.create(self._cases_dir / folder, Order.model_validate(values))
        except LabkitError as error:
            self.answer.value = _fault(str(error))
            return
        self.answer.value = _status(f"Case {case.order.case} is made. It is in the table above.")
        self._empty()
        self._made(case)

    def _show(self, faults: Mapping[str, str]) -> None:
        for name, line in self.faults.items():
            line.value = _fault(f"{_label(name)}: {faults[name]}") if name in faults else ""

    def _empty(self) -> None:
        for name, field in _known().items():
            self.fields[name].value = _default(field)
        self.folder.value = self._proposed = ""


def faults_of(values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the fields of an order, by field, in a technician's words.

    Besides what `labkit new` refuses, codes without a digit and words that look like a
    patient's name, number or date are.
    """
    found: dict[str, str] = {}
    try:
        Order.model_validate(dict(values))
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0])
            found.setdefault(name, _words(name, str(values.get(name, "")), fault["msg"]))
    for name, value in values.items():
        if name in found or not isinstance(value, str):
            continue
        if name in _CODES:
            if _no_code(value):
                found[name] = "looks like a name: a code has a digit in it, such as C-0001"
        elif name in _known() and not choices(_known()[name]) and _PERSONAL.search(value):
            found[name] = "looks like a patient's name, number or date: leave it out"
    return found


def codes_below(cases_dir: Path) -> set[str]:
    """The codes of the cases in a folder."""
    found = set()
    for path in cases_dir.glob("*/order.yaml"):
        try:
            found.add(read_order(path).case)
        except LabkitError:  # the table of cases says what is wrong with it
            continue
    return found


def _no_code(text: str) -> bool:
    return not any(sign.isdigit() for sign in text)


def _known() -> dict[str, FieldInfo]:
    return Order.model_fields


def _words(name: str, value: str, said: str) -> str:
    field = _known()[name]
    if not value:
        return "is needed: choose one" if choices(field) else "is needed"
    if name in _CODES:
        return f"a code, not a name: {form(field)}"
    return form(field) or said[:1].lower() + said[1:]


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))


def _help(field: FieldInfo) -> str:
    return "; ".join(filter(None, [field.description, form(field)]))


def _default(field: FieldInfo) -> Any:
    return "" if field.is_required() else field.default


def _entry(name: str, field: FieldInfo) -> Any:
    needed = " *" if field.is_required() else ""
    look: dict[str, Any] = {
        "description": f"{_label(name)}{needed}",
        "value": _default(field),
        "style": _STYLE,
        "layout": {"width": "36em"},
    }
    if words := choices(field):
        options = [(word, word) for word in words]
        first = [(_CHOOSE, "")] if field.is_required() else []
        return ipywidgets.Dropdown(options=[*first, *options], **look)
    if isinstance(field.default, bool):
        return ipywidgets.Checkbox(**look)
    return ipywidgets.Text(**look)


def _fault(text: str) -> str:
    return f'<p role="alert" style="color: {WRONG}; margin-left: 12em">✘ {escape(text)}</p>'


def _status(text: str) -> str:
    return f'<p role="status">{escape(text)}</p>'
