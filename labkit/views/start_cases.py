"""The lab's cases: what is next for each, opened or run by a button."""

import time
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import ipywidgets

from labkit.case import Case, Verdict
from labkit.pace import duration
from labkit.pacs.sources import is_pacs
from labkit.procedures.beside import RunBeside
from labkit.procedures.by_hand import notebook_for
from labkit.procedures.caseload import CaseNow, caseload
from labkit.procedures.sample import CODE, DECISIONS, is_sample, sample_scan
from labkit.views.errands import Errands
from labkit.views.opening import Opener
from labkit.views.print_style import BUSY, WRONG
from labkit.views.words import Words, message, signed, table

MOST_ROWS = 40
"""How many cases the page shows at once: each has widgets of its own."""

LOOK_AT_RUN_S = 1.0
"""How often a run is asked how far it is."""

COLUMNS = ("case", "anatomy", "side", "done", "next", "verdict")
NO_CASES = "No cases yet. Make one with the form below."
SCAN = "01_scan"

_RUNS: dict[Path, RunBeside] = {}
"""The runs that this kernel started, by case folder; the page may be drawn anew meanwhile."""


def cases_table(cases: Sequence[CaseNow]) -> Words:
    """The cases, only to be read."""
    if not cases:
        return message(NO_CASES)
    rows = [
        (
            one.code + (", practice" if one.practice else ""),
            one.anatomy or None,
            one.side or None,
            one.stages_done,
            f"{one.next}: {one.state}" if one.next else None,
            _verdict(one)[0],
            " ".join(filter(None, [one.stopped, one.fix and f"Do next: {one.fix}"])) or None,
        )
        for one in cases
    ]
    return table(rows, [*COLUMNS, "why it stopped"])


def _verdict(one: CaseNow) -> tuple[str, str]:
    known: dict[str, Verdict] = {w: w for w in ("pass", "action", "fail", "not done")}
    return signed(known[one.verdict]) if one.verdict in known else ("–", "")


class CasesDesk:
    """The table with its buttons.

    Parameters
    ----------
    cases_dir : the folder that holds the lab's cases.
    """

    def __init__(self, cases_dir: Path, errands: Errands) -> None:
        self._cases_dir, self._errands = cases_dir, errands
        self._asked = False
        self._again = False
        self.found: list[CaseNow] = []
        self.lines: dict[Path, CaseLine] = {}
        self.find = ipywidgets.Text(description="show only", placeholder="part of code or anatomy")
        self.again = ipywidgets.Button(description="Look again", layout={"width": "auto"})
        self.state = ipywidgets.HTML()
        self.opener = Opener()
        self._rows, self._finished = ipywidgets.VBox(), ipywidgets.HTML()
        self.find.observe(lambda _: self._draw(), "value")
        self.again.on_click(lambda _: self.look())
        bar = ipywidgets.HBox([self.find, self.again, self.state], layout={"flex_flow": "row wrap"})
        head = "".join(f"<b>{escape(name)}</b>" for name in COLUMNS)
        self._head = ipywidgets.HTML(f'<div class="labkit-case">{head}</div>')
        self.widget = ipywidgets.VBox(
            [bar, self._head, self._rows, self.opener.widget, self._finished]
        )
        self.widget.add_class("labkit-fleet")
        self.widget.add_class("labkit-start")

    def look(self) -> None:
        """Look through the folder of cases; a look that is asked for meanwhile comes after."""
        if self._asked:
            self._again = True
            return
        self._asked = True
        self.state.value = "<p>is being looked through …</p>"
        self._errands.start(lambda: caseload(self._cases_dir), self._show, self._troubled)

    def _show(self, found: list[CaseNow]) -> None:
        self._asked = False
        self.found = found
        clock = time.strftime("%H:%M:%S")
        self.state.value = f'<p role="status">Seen at {clock}: {_count(len(found))}.</p>'
        self._draw()
        if self._again:
            self._again = False
            self.look()

    def _troubled(self, words: str) -> None:
        self._asked = False
        self.state.value = f'<p role="alert">{escape(words)}</p>'

    def _draw(self) -> None:
        wanted = self.find.value.strip().lower()
        chosen = [one for one in self.found if wanted in f"{one.code} {one.anatomy}".lower()]
        open_ones = [one for one in chosen if one.next or not one.done]
        finished = [one for one in chosen if one.done and not one.next]
        before = self.lines
        self.lines = {}
        for one in open_ones[:MOST_ROWS]:
            line = before.get(one.folder) or CaseLine(self._cases_dir, self._errands, self)
            self.lines[one.folder] = line
            line.show(one)
        more = len(open_ones) - MOST_ROWS
        told = [f"<p>{more} more: write part of a code above.</p>"] if more > 0 else []
        if not self.found:
            told.append(f"<p>{NO_CASES}</p>")
        self._rows.children = [
            *(line.widget for line in self.lines.values()),
            *(ipywidgets.HTML(text) for text in told),
        ]
        about = f"<p>Finished cases: {len(finished)}</p>" + cases_table(finished).html
        self._finished.value = about if finished else ""


class CaseLine:
    """One case: what is known of it, and the buttons for what is next."""

    def __init__(self, cases_dir: Path, errands: Errands, desk: CasesDesk) -> None:
        self._cases_dir, self._errands, self._desk = cases_dir, errands, desk
        self._here = CaseNow(cases_dir, "")
        self.told, self.answer = ipywidgets.HTML(), ipywidgets.HTML()
        self.scan = ipywidgets.Text(
            description="scan",
            placeholder="folder, zip or file, or pacs:NAME?KEY=VALUE",
            layout={"width": "34em"},
        )
        self.open = _button(self._open)
        self.run = _button(self._run)
        self.cancel = _button(self._cancel)
        self.cancel.description = "Cancel the run"
        buttons = ipywidgets.HBox(
            [self.scan, self.open, self.run, self.cancel], layout={"flex_flow": "row wrap"}
        )
        self.widget = ipywidgets.VBox([self.told, buttons, self.answer])
        self.widget.add_class("labkit-case-row")

    def show(self, here: CaseNow) -> None:
        """Draw the line anew."""
        first = self._here.folder != here.folder
        self._here = here
        self.told.value = _row(here)
        self.open.description = f"Open {here.next}"
        self.run.description = f"Run {here.next}"
        if first and here.next == SCAN and here.practice and here.code.startswith(CODE):
            self.scan.value = str(sample_scan())
        if first and here.folder in _RUNS:
            self._follow()
        self._weigh()

    def _weigh(self) -> None:
        here, ours = self._here, self._here.folder in _RUNS
        _seen(self.scan, here.next == SCAN and not ours)
        for button in (self.open, self.run):
            _seen(button, bool(here.next) and not ours)
            button.disabled = not here.can_run
        _seen(self.cancel, ours)

    def _scan(self) -> str:
        """The scan that is named; a relative path starts beside the folder of cases."""
        text = str(self.scan.value).strip() if self._here.next == SCAN else ""
        if not text or is_pacs(text):
            return text
        return str(self._cases_dir.absolute().parent / Path(text).expanduser())

    def _open(self) -> None:
        here, scan = self._here, self._scan()
        if is_pacs(scan):
            self._say("A study of a PACS is fetched by Run; to open it by hand, name a folder.")
            return
        self._say(f"{here.next} is being made ready …")

        def opened(notebook: Path) -> None:
            self._say(
                "The notebook is open in a tab of its own, with this case filled in. "
                "Run its cells there; afterwards press Look again here."
            )
            self._desk.opener.open(notebook, f"{here.next} for {here.code}")

        self._errands.start(
            lambda: notebook_for(Case(here.folder), here.next, {"source": scan} if scan else {}),
            opened,
            self._say,
        )

    def _run(self) -> None:
        here, scan = self._here, self._scan()
        if here.folder in _RUNS:
            return
        self.run.disabled = True
        self._errands.start(
            lambda: RunBeside(here.folder, here.next, _decided(here, scan)),
            self._started,
            self._say,
        )

    def _started(self, run: RunBeside) -> None:
        _RUNS[self._here.folder] = run
        self._weigh()
        self._follow()

    def _follow(self) -> None:
        run = _RUNS.get(self._here.folder)
        if run is None:
            self._say("")
            return
        if run.is_running:
            word = "is being cancelled" if run.was_stopped else run.step()
            taken = duration(run.seconds)
            self.answer.value = (
                f'<p style="color: {BUSY}"><b>▶ {escape(run.stage)}</b> {escape(word)}'
                f" &nbsp; {taken} so far</p>"
            )
            self._errands.later(LOOK_AT_RUN_S, self._follow)
            return
        _RUNS.pop(self._here.folder)
        self._ended(run)

    def _ended(self, run: RunBeside) -> None:
        trouble = run.trouble()
        if run.was_stopped:
            self._say(f"{run.stage} was cancelled. The case is as it was before.")
        elif trouble:
            self.answer.value = f'<p role="alert" style="color: {WRONG}">✘ {escape(trouble)}</p>'
        else:
            self._say(f"{run.stage}: {run.step()}")
        run.forget()
        self._weigh()
        self._desk.look()

    def _cancel(self) -> None:
        run = _RUNS.get(self._here.folder)
        if run is not None:
            self.cancel.disabled = True
            self._errands.start(run.stop, lambda _: self._let_go(), self._say)

    def _let_go(self) -> None:
        self.cancel.disabled = False

    def _say(self, words: str) -> None:
        self.answer.value = f'<p role="status">{escape(words)}</p>' if words else ""
        self._weigh()


def _count(cases: int) -> str:
    return "1 case" if cases == 1 else f"{cases} cases"


def _decided(here: CaseNow, scan: str) -> Mapping[str, Mapping[str, object]]:
    """What the run is told: the scan; for an untouched sample case the demo's decisions."""
    told: dict[str, Mapping[str, object]] = {SCAN: {"source": scan}} if scan else {}
    case = Case(here.folder)
    if is_sample(case.order) and case.current(here.next) is None and here.next in DECISIONS:
        told[here.next] = DECISIONS[here.next]
    return told


def _row(here: CaseNow) -> str:
    verdict, colour = _verdict(here)
    name = escape(here.code) + (" <small>practice</small>" if here.practice else "")
    state = f"{here.next}<br><small>{escape(here.state)}</small>" if here.next else "–"
    cells = [name, escape(here.anatomy), escape(here.side), here.stages_done, state]
    html = "".join(f"<span>{cell}</span>" for cell in cells)
    html += f'<span class="labkit-state" style="color: {colour or "inherit"}">{verdict}</span>'
    html = f'<div class="labkit-case">{html}</div>'
    if here.stopped:
        fix = f" Do next: {here.fix}" if here.fix else ""
        html += f'<p style="color: {WRONG}">✘ Stopped: {escape(here.stopped)}.{escape(fix)}</p>'
    return html


def _button(press: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(layout={"width": "auto"})
    button.on_click(lambda _: press())
    return button


def _seen(widget: ipywidgets.DOMWidget, seen: bool) -> None:
    widget.layout.display = None if seen else "none"
