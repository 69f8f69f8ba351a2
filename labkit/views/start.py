"""The first page: cases, a new order, practice printers, and whether this machine is ready."""

import asyncio
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import ipywidgets
from IPython.display import display

from labkit.case import Case
from labkit.procedures.caseload import caseload
from labkit.views.errands import Errands, LoopErrands
from labkit.views.presence import somebody_looks_on
from labkit.views.print_style import STYLE
from labkit.views.start_cases import CasesDesk, cases_table
from labkit.views.start_order import OrderForm
from labkit.views.start_practice import PracticeDesk, practice_table
from labkit.views.words import Words, joined, message, table

_START_STYLE = """<style>
.labkit-start { max-width: 76em; }
.labkit-case { display: grid; gap: 0 12px; line-height: 1.35;
  grid-template-columns: 10em minmax(10em, 2fr) 4em 5em minmax(12em, 2fr) 7em; }
.labkit-case-row { border-top: 1px solid #767676; padding: 6px 0; }
.labkit-start .widget-html, .labkit-start .widget-html-content { height: auto; }
.labkit-start .widget-text, .labkit-start .widget-dropdown { height: auto; }
.labkit-start .jupyter-button { margin-right: 8px; padding: 0 10px; }
.labkit-start .jupyter-button:disabled { opacity: 1; color: #595959; }
</style>"""


class Desk(Protocol):
    """A part of the page."""

    widget: ipywidgets.VBox


D = TypeVar("D", bound=Desk)


class Shown(Generic[D]):
    """A part of the page, drawn when its cell is run; ``desk`` is what it shows."""

    def __init__(self, desk: D) -> None:
        self.desk = desk
        self.widget = ipywidgets.VBox([ipywidgets.HTML(STYLE + _START_STYLE), desk.widget])

    def _ipython_display_(self) -> None:
        display(self.widget)  # type: ignore[no-untyped-call]


_AT_WORK: dict[str, tuple[Any, LoopErrands]] = {}
"""The parts of the page that are alive, by name: of each there is one in a kernel."""


def _alive(name: str, build: Callable[[LoopErrands], D]) -> Shown[D]:
    """A part of the page in place of the one that its cell drew before."""
    if name in _AT_WORK:
        _AT_WORK.pop(name)[1].stop()
    errands = LoopErrands(asyncio.get_running_loop())
    desk = build(errands)
    _AT_WORK[name] = (desk, errands)
    return Shown(desk)


def cases(cases_dir: str | Path) -> Words | Shown[CasesDesk]:
    """The lab's cases with what is next, and buttons to open or run that.

    Where nobody looks on it is a table.

    Parameters
    ----------
    cases_dir : the folder that holds the lab's cases.
    """
    folder = Path(cases_dir).absolute()
    if not somebody_looks_on():
        return cases_table(caseload(folder))
    shown = _alive("cases", lambda errands: CasesDesk(folder, errands))
    shown.desk.look()
    return shown


def new_case(cases_dir: str | Path) -> Words | Shown[OrderForm]:
    """A form for the order of a new case; where nobody looks on, the command for it."""
    folder = Path(cases_dir).absolute()
    if not somebody_looks_on():
        return message("To make a case: labkit new cases/C-0001 --order order.yaml")
    return _alive("order", lambda _: OrderForm(folder, _made))


def _made(_case: Case) -> None:
    if "cases" in _AT_WORK:
        _AT_WORK["cases"][0].look()


def practice_printers() -> Words | Shown[PracticeDesk]:
    """Practice printers with a button each; where nobody looks on, a table."""
    if not somebody_looks_on():
        return practice_table()
    shown = _alive("practice", PracticeDesk)
    shown.desk.look()
    return shown


def machine() -> Words | Shown["DoctorDesk"]:
    """What is installed on this machine, with a button to check again."""
    if not somebody_looks_on():
        return doctor_words(_report())
    shown = _alive("doctor", DoctorDesk)
    shown.desk.look()
    return shown


def doctor_words(rows: list[dict[str, str]]) -> Words:
    """The doctor's table, what is missing first, and what to do about it."""
    missing = [row for row in rows if row["state"] != "ok"]
    signs = [
        {**row, "state": "✔\u00a0ok" if row["state"] == "ok" else f"✘\u00a0{row['state']}"}
        for row in sorted(rows, key=lambda row: row["state"] == "ok")
    ]
    said = "Everything is here." if not missing else HINT.format(len(missing))
    return joined([message(said), table(signs, ["tool", "state", "version", "for", "fix"])])


def _report() -> list[dict[str, str]]:
    # it knows the slicer and what comes with that: seconds, that the page need not wait for
    rows: list[dict[str, str]] = import_module("labkit.doctor").report()
    return rows


HINT = (
    "Missing: {}. The last column names the way to get each. "
    "What needs no administrator, one command in a terminal installs: labkit doctor --install"
)


class DoctorDesk:
    """The doctor's table and its button."""

    def __init__(self, errands: Errands) -> None:
        self._errands = errands
        self.again = ipywidgets.Button(description="Check again", layout={"width": "auto"})
        self.state, self.table = ipywidgets.HTML(), ipywidgets.HTML()
        self.again.on_click(lambda _: self.look())
        self.widget = ipywidgets.VBox([ipywidgets.HBox([self.again, self.state]), self.table])
        self.widget.add_class("labkit-fleet")
        self.widget.add_class("labkit-start")

    def look(self) -> None:
        """Look at everything anew."""
        self.again.disabled = True
        self.state.value = '<p role="status">is being checked …</p>'
        self._errands.start(_report, self._show, self._troubled)

    def _show(self, rows: list[dict[str, str]]) -> None:
        self.again.disabled = False
        self.table.value = doctor_words(rows).html
        self.state.value = f'<p role="status">Checked at {time.strftime("%H:%M:%S")}.</p>'

    def _troubled(self, words: str) -> None:
        self.again.disabled = False
        self.state.value = f'<p role="alert">{words}</p>'
