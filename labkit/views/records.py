"""The end of a stage's notebook: a person accepts, and a run makes the evidence of it."""

import asyncio
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Protocol

import ipywidgets

from labkit.case import STAGES, Case, Check, Result, Verdict, read_result
from labkit.errors import LabkitError
from labkit.parameters import is_path, unit
from labkit.procedures.beside import RunBeside
from labkit.procedures.by_hand import notebook_for
from labkit.procedures.holding import at_work
from labkit.procedures.repeats import in_words, repeated
from labkit.views.errands import Errands, LoopErrands
from labkit.views.evidence_page import page_of
from labkit.views.following import Following
from labkit.views.opening import Opener
from labkit.views.presence import somebody_looks_on
from labkit.views.print_style import STYLE
from labkit.views.printer_beside import PrinterBeside
from labkit.views.words import Words, checks, message, signed, table

LOOK_AT_OTHERS_S = 2.0
"""How often a run that somebody else began is asked how far it is."""

_OPEN: list[LoopErrands] = []
"""The errands of the desk that is alive, of which there is one in a kernel."""

_HOW = (
    "Accept keeps the decisions above with your name, and runs this stage with them from its "
    "beginning, without anybody's hand in it: that run is what is recorded and signed."
)
_PRINTING = "05_printing"
_PRINTS = (
    "Cancelling the run leaves a print that has begun as it is: the buttons of the printer pause "
    "or cancel it, here while the run is at work and in the notebook fleet, and another Accept "
    "takes up the watch."
)


class Stage(Protocol):
    """What the end of a notebook needs of its stage."""

    name: str
    case: Case
    parameters: Any
    checks: list[Check]

    @property
    def headless(self) -> bool:
        """Whether nobody is there to accept."""

    @property
    def operator(self) -> str:
        """Who works on it."""

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks so far."""

    @property
    def places(self) -> dict[str, str]:
        """What the path parameters name."""

    @property
    def made(self) -> Path | None:
        """The folder with what the cells made, or None where it is not there any more."""

    def as_it_comes(self, values: Mapping[str, Any], /) -> Mapping[str, Any]:
        """What each parameter is where nobody decides."""

    def hand_over(self, by: str, /) -> Path:
        """Keep the decisions for the run that signs them, or a `LabkitError`."""

    def record(self) -> Result:
        """Write and publish what the cells above made."""


def record(stage: Stage) -> Words | ipywidgets.VBox:
    """The stage's record; in front of a person a button that accepts, and what comes of it.

    ``labkit run`` and plain papermill record what the cells above made.  A person's record is
    made by a run of its own, in a fresh kernel, from the decisions that were accepted; what the
    cells made is compared with it.
    """
    if stage.headless or not somebody_looks_on():
        return message(f"{stage.record().verdict}: recorded in {stage.name}")
    while _OPEN:
        _OPEN.pop().stop()  # the desk that this cell drew before must not take the run's end away
    _OPEN.append(LoopErrands(asyncio.get_running_loop()))
    return AcceptDesk(stage, _OPEN[-1]).widget


class AcceptDesk:
    """The button with a name beside it, the run that follows, and what that recorded."""

    def __init__(self, stage: Stage, errands: Errands) -> None:
        self._stage, self._errands = stage, errands
        self._others = False  # whether a run is at work that somebody else began
        self.by = ipywidgets.Text(
            value=stage.operator,
            description="accepted by",
            style={"description_width": "8em"},
        )
        self.accept = ipywidgets.Button(
            description="Accept", button_style="primary", layout={"width": "auto"}
        )
        self.accept.on_click(lambda _: self._accept())
        self.next = ipywidgets.Button(layout={"width": "auto"})
        self.next.on_click(lambda _: self._open_next())
        self.following = Following(stage.case.root, errands, changed=self._weigh, ended=self._end)
        self.beside = PrinterBeside(stage.case.root.parent, errands)
        self.opener = Opener()
        self.found = ipywidgets.HTML()
        row = {"flex_flow": "row wrap"}
        buttons = [self.by, self.accept, self.following.cancel, self.next]
        words = [_HOW, *([_PRINTS] if stage.name == _PRINTING else [])]
        self.widget = ipywidgets.VBox(
            [
                ipywidgets.HTML(STYLE + "".join(f"<p>{text}</p>" for text in words)),
                ipywidgets.HTML(_decided(stage)),
                ipywidgets.HBox(buttons, layout=row),
                self.following.answer,
                self.beside.widget,
                self.opener.widget,
                self.found,
            ]
        )
        self.widget.add_class("labkit-fleet")
        self._show()
        self._look()

    def _accept(self) -> None:
        if self.following.is_ours:
            return
        by = str(self.by.value)
        self._errands.start(
            lambda: self._stage.hand_over(by),
            lambda _: self._run(),
            lambda words: self.following.say(f"Not accepted. {words}", alarm=True),
        )

    def _run(self) -> None:
        stage = self._stage
        self.following.say("Accepted. The run starts …")
        self.following.start(
            lambda: RunBeside(stage.case.root, stage.name, {stage.name: stage.places})
        )

    def _look(self) -> None:
        """Follow a run that is at work already: another page's, or one begun before a restart."""
        if self.following.is_ours:
            self.following.follow()
            return
        self._errands.start(lambda: at_work(self._stage.case), self._show_other, self.following.say)

    def _show_other(self, step: str) -> None:
        waited, self._others = self._others, bool(step) and not self.following.is_ours
        if self._others:
            self.following.say(f"A run is at work on this case: {step}")
            self._errands.later(LOOK_AT_OTHERS_S, self._look)
        elif waited and not self.following.is_ours:
            self.following.say("")
            self._show()

    def _end(self, run: RunBeside) -> None:
        self._show(compared=not run.was_stopped)

    def _show(self, *, compared: bool = False) -> None:
        """The newest record of the stage; after a run also what the cells above made."""
        stage = self._stage
        folder = stage.case.current(stage.name)
        if folder is None:
            self._weigh()
            return
        try:
            result = read_result(folder)
            html = _recorded(folder, result)
            html += _compared(stage.made, folder) if compared and stage.made else ""
            if (folder / "notebook.ipynb").is_file():
                html += _framed(page_of(folder / "notebook.ipynb"), f"Evidence of {folder.name}")
        except LabkitError as error:
            html = f'<p role="alert">{escape(str(error))}</p>'
        self.found.value = html
        self._weigh()

    def _weigh(self) -> None:
        stage, ours = self._stage, self.following.is_ours
        self.accept.disabled = ours or self._others
        prints = stage.name == _PRINTING and self.accept.disabled
        self.beside.show(str(stage.parameters.printer) if prints else "")
        following = STAGES[STAGES.index(stage.name) + 1 :]
        there = bool(following) and stage.case.current(stage.name) is not None and not ours
        self.next.layout.display = None if there else "none"
        self.next.description = f"Open {following[0]}" if following else ""

    def _open_next(self) -> None:
        case, stage = self._stage.case, STAGES[STAGES.index(self._stage.name) + 1]
        self._errands.start(
            lambda: notebook_for(case, stage),
            lambda notebook: self.opener.open(notebook, f"{stage} for {case.order.case}"),
            self.following.say,
        )


def _decided(stage: Stage) -> str:
    """What is decided otherwise than it stands in the notebook as it comes, and how it looks."""
    decided = stage.parameters.model_dump()
    usual = stage.as_it_comes(decided)
    rows = [
        (name, decided[name], unit(field), usual[name])
        for name, field in type(stage.parameters).model_fields.items()
        if name != "operator"
        and not is_path(field)  # where it lies concerns nobody, and may name the patient
        and decided[name] != usual[name]
    ]
    html = ""
    if rows:
        shown = table(rows, ["decided", "value", "unit", "as it comes"])
        html = f"<p>When this cell was run:</p>{shown.html}"
    if stage.checks:
        word, colour = signed(stage.verdict)
        html += f'<p>The cells above: <b style="color: {colour}">{word}</b></p>'
    return html


def _recorded(folder: Path, result: Result) -> str:
    word, colour = signed(result.verdict)
    whose = result.accepted.said if result.accepted else f"by {result.operator}"
    how = "made again by a run" if result.mode == "replay" else "by hand, not signed yet"
    return (
        f'<h4>{escape(folder.name)}: <span style="color: {colour}">{word}</span></h4>'
        f"<p>{escape(whose)}; {how}, {escape(result.finished)}.</p>{checks(result.checks).html}"
    )


def _compared(made: Path, folder: Path) -> str:
    """What the cells above made, beside what the run made of the same decisions."""
    products = repeated(made, folder)
    if not products:
        return ""
    note = ""
    if not all(one.is_equal for one in products):
        note = " Were the cells above run with these very decisions?"
    return f"<p>Beside the cells above: {escape(in_words(products))}.{note}</p>"


def _framed(page: str, title: str) -> str:
    return (
        f'<iframe title="{escape(title, quote=True)}" sandbox srcdoc="{escape(page, quote=True)}"'
        ' style="width: 100%; height: 40em; border: 1px solid #767676"></iframe>'
    )
