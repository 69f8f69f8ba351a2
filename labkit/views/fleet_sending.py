"""A case to the queue or to one printer, after a person has looked at its G-code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import ipywidgets

from labkit.pace import duration
from labkit.printing import desk
from labkit.printing.attending import Watches
from labkit.printing.board import why_not
from labkit.printing.case_prints import CasePrint, case_print
from labkit.printing.people import check_right
from labkit.printing.printed_files import PrintedFile, read_printed
from labkit.printing.record import JobRecord
from labkit.printing.servers.practice import practice_number
from labkit.views.errands import Errands
from labkit.views.fleet_cards import said
from labkit.views.fleet_queue import heading, offer
from labkit.views.stills import figure_of, still

_STYLE = {"description_width": "9em"}
_WIDE = {"width": "30em"}
SHORT_HASH = 16


@dataclass(frozen=True)
class Looked:
    """What a person was shown of a case."""

    wanted: CasePrint
    file: PrintedFile
    may_not_start: str
    may_not_approve: str


def shown_case(folder: Path) -> Looked:
    """What there is to look at before a case is sent.

    Raises
    ------
    CaseError
        As `case_print`.
    """
    wanted = case_print(folder)
    return Looked(wanted, read_printed(wanted.gcode), why_not("start"), why_not("approve"))


class SendForm:
    """The form below the cards.

    Parameters
    ----------
    watches : takes up the prints that are sent to one printer.
    look : asks printers and queue again, at once.
    """

    def __init__(self, errands: Errands, watches: Watches, look: Callable[[], None]) -> None:
        self._errands, self._watches, self._look = errands, watches, look
        self._cases: dict[str, Path] = {}
        self._looked: Looked | None = None
        wide = {"style": _STYLE, "layout": _WIDE}
        self.case = ipywidgets.Dropdown(description="case", **wide)
        self.printer = ipywidgets.Dropdown(
            options=[("any: into the queue", desk.ANY)], description="printer", **wide
        )
        self.practice = ipywidgets.Checkbox(description="practice: nothing real is printed", **wide)
        self.priority = ipywidgets.Dropdown(
            options=["routine", "urgent", "emergency"], description="priority", **wide
        )
        self.attempt = ipywidgets.BoundedIntText(
            value=1, min=1, max=99, description="attempt", **wide
        )
        self.lot = ipywidgets.Text(
            description="material lot", placeholder="what the spool says", **wide
        )
        self.name = ipywidgets.Text(description="your name", **wide)
        self.ticked = ipywidgets.Checkbox(description="I have looked at this G-code", **wide)
        self.send = ipywidgets.Button(
            description="Send", button_style="primary", layout={"width": "auto"}, disabled=True
        )
        self.about, self.reason, self.answer = (ipywidgets.HTML() for _ in range(3))
        self.about.add_class("labkit-about")
        self.case.observe(lambda _: self._choose(), "value")
        for field in (self.printer, self.practice, self.name, self.ticked):
            field.observe(lambda _: self._weigh(), "value")
        self.send.on_click(lambda _: self._send())
        fields = [self.case, self.printer, self.practice, self.priority, self.attempt, self.lot]
        left = ipywidgets.VBox([*fields, self.name, self.ticked, self.send, self.reason])
        self.widget = ipywidgets.VBox(
            [heading("Send a case"), ipywidgets.HBox([left, self.about]), self.answer]
        )

    def show_cases(self, cases: dict[str, Path]) -> None:
        """Offer these cases."""
        self._cases = cases
        offer(self.case, [(name, name) for name in cases])
        if not cases:
            self.about.value = said("No case here has been sliced yet.")

    def show_printers(self, names: Sequence[str]) -> None:
        """Offer the queue and these printers."""
        offer(self.printer, [("any: into the queue", desk.ANY), *((n, n) for n in names)])

    @property
    def is_practice(self) -> bool:
        """Whether nothing real would be printed."""
        if self.printer.value == desk.ANY:
            return bool(self.practice.value)
        return practice_number(self.printer.value or "") is not None

    def _choose(self) -> None:
        """Whatever a person approved of one case is not an approval of another."""
        self._looked = None
        self.ticked.value = False
        self.about.value = ""
        folder = self._cases.get(self.case.value or "")
        if folder is not None:
            self.about.value = said("is being read …")
            chosen = self.case.value
            self._errands.start(
                lambda: shown_case(folder),
                lambda looked: self._show(looked) if self.case.value == chosen else None,
                lambda words: self._not_read(words, folder),
            )
        self._weigh()

    def _show(self, looked: Looked) -> None:
        self._looked = looked
        wanted = looked.wanted
        sheet = wanted.sheet
        facts = [
            f"sliced for {sheet.printer}, {sheet.material}",
            f"{duration(sheet.time_s)}, {sheet.layers} layers, {sheet.mass_g:.1f} g",
            f"G-code {sheet.sha256[:SHORT_HASH]}…",
        ]
        picture = still(None, looked.file.picture, "this case")
        self.about.value = "".join(f"<p>{escape(fact)}</p>" for fact in facts) + figure_of(
            picture, "out of the G-code"
        )
        self._weigh()

    def _not_read(self, words: str, folder: Path) -> None:
        self.about.value = said(_without(folder, words))
        self._weigh()

    def _weigh(self) -> None:
        """Say what is missing before anything can be sent."""
        exercise, queued = self.is_practice, self.printer.value == desk.ANY
        self.practice.disabled, self.priority.disabled = not queued, not queued
        self.name.disabled = self.ticked.disabled = exercise
        real = "Send to the queue" if queued else "Start the print"
        self.send.description = real if exercise else f"Approve, and {real[0].lower()}{real[1:]}"
        self.reason.value = said(missing := self._missing())
        self.send.disabled = bool(missing)

    def _missing(self) -> str:
        looked = self._looked
        if looked is None:
            return "Choose a case." if self._cases else ""
        if self.is_practice:
            return ""
        refused = looked.may_not_start or looked.may_not_approve
        if refused:
            return f"{refused}."
        if not self.name.value.strip() or not self.ticked.value:
            return "To approve: look at the G-code, type your name and tick the box."
        return ""

    def _send(self) -> None:
        looked, folder = self._looked, self._cases.get(self.case.value or "")
        if looked is None or folder is None:
            self.answer.value = said("Choose a case first.")
            return
        printer, exercise = self.printer.value, self.is_practice
        approved = bool(self.ticked.value) and not exercise
        word = {
            "approved_by": self.name.value.strip() if approved else "",
            # of the file that was shown: one that was made since is not approved by this
            "approved_sha256": looked.wanted.sheet.sha256 if approved else "",
            "material_lot": self.lot.value,
        }
        attempt, priority = self.attempt.value, self.priority.value

        def sent() -> str:
            if approved:
                check_right("approve")
            wanted = case_print(folder)
            if printer == desk.ANY:
                request = desk.enqueue(
                    wanted, attempt=attempt, priority=priority, practice=exercise, **word
                )
                return f"request {request.number} of {request.case_code}: {request.status}"
            record = desk.submit(wanted, printer, attempt=attempt, **word)
            self._take_up(record, wanted)
            return f"job {record.job} on {printer}: {record.state}. {record.summary}"

        self.send.disabled = True
        self.answer.value = said("is being sent …")
        self._errands.start(sent, self._sent, lambda words: self._refused(_without(folder, words)))

    def _take_up(self, record: JobRecord, wanted: CasePrint) -> None:
        if record.state == "printing":
            self._watches.begin(record.job, record.printer, wanted.plan)

    def _sent(self, words: str) -> None:
        self.answer.value = said(words)
        self.ticked.value = False
        self._weigh()
        self._look()

    def _refused(self, words: str) -> None:
        self.answer.value = said(words)
        self._choose()  # it may have been made again meanwhile: then that is to be looked at


def _without(folder: Path, words: str) -> str:
    """Words that do not tell how a case's folder is called: it may be called after a patient."""
    return words.replace(str(folder.absolute()), "the case").replace(folder.name, "the case")
