"""Practice printers on buttons: started, seen, and stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import ipywidgets

from labkit.errors import LabkitError
from labkit.printing.servers.practice import PracticePrinter
from labkit.views.errands import Errands
from labkit.views.print_style import BUSY, QUIET, READY, WRONG
from labkit.views.words import Words, joined, message, table

COUNT = 3
"""How many can be started on the page; `labkit practice-printer` starts more."""

REALLY_S = 8.0
"""How long a second click on stop counts as meant."""

LIFE = (
    "A practice printer goes on, as a printer does, when this page or its kernel is closed. "
    "It ends with the button here, or with: labkit practice-printer --stop"
)


@dataclass(frozen=True)
class PracticeNow:
    """A practice printer as it was seen just now; without an address it does not run."""

    name: str
    address: str = ""
    says: str = ""
    busy: bool = False

    @property
    def words(self) -> tuple[str, str]:
        """Its state as sign and words, and the colour that goes with them."""
        if not self.address:
            return "○ not started", QUIET
        if not self.says:
            return "✘ was started and does not answer", WRONG
        return (f"▶ {self.says.lower()}", BUSY) if self.busy else ("✔ ready", READY)


def practice_now(number: int) -> PracticeNow:
    """The practice printer of that number."""
    practice = PracticePrinter(number=number)
    address = str(practice.state().get("url", ""))
    if not address:
        return PracticeNow(practice.name)
    try:
        running = practice.attach()
        if running is None:
            return PracticeNow(practice.name, address)
        now = running.job()
        return PracticeNow(practice.name, address, now.state, now.is_busy)
    except LabkitError:
        return PracticeNow(practice.name, address)


def practice_table() -> Words:
    """The practice printers, only to be read."""
    found = [practice_now(number) for number in range(1, COUNT + 1)]
    rows = [(one.name, one.words[0], one.address or None) for one in found]
    return joined([table(rows, ["printer", "state", "address"]), message(LIFE)])


class PracticeDesk:
    """A line for each practice printer: state, address, one button."""

    def __init__(self, errands: Errands) -> None:
        self.lines = [PracticeLine(number, errands) for number in range(1, COUNT + 1)]
        self.widget = ipywidgets.VBox(
            [*(line.widget for line in self.lines), ipywidgets.HTML(message(LIFE).html)]
        )
        self.widget.add_class("labkit-fleet")
        self.widget.add_class("labkit-start")

    def look(self) -> None:
        """Ask each of them."""
        for line in self.lines:
            line.look()


class PracticeLine:
    """One practice printer and the button that starts and stops it."""

    def __init__(self, number: int, errands: Errands) -> None:
        self._practice, self._number, self._errands = (
            PracticePrinter(number=number),
            number,
            errands,
        )
        self._here = PracticeNow(self._practice.name)
        self._really = False
        self._clicks = 0
        self.told, self.answer = ipywidgets.HTML(), ipywidgets.HTML()
        self.button = ipywidgets.Button(layout={"width": "16em"}, disabled=True)
        self.button.on_click(lambda _: self._press())
        row = ipywidgets.HBox([self.button, self.told], layout={"align_items": "center"})
        self.widget = ipywidgets.VBox([row, self.answer])
        self.told.value = f"<p>{self._practice.name} is being asked …</p>"
        self._calm()

    def look(self) -> None:
        """Ask the printer."""
        self._errands.start(lambda: practice_now(self._number), self._show, self._troubled)

    def _show(self, here: PracticeNow) -> None:
        self._here = here
        words, colour = here.words
        link = ""
        if here.address:
            at = escape(here.address, quote=True)
            link = f' &nbsp; <a href="{at}" target="_blank" rel="noreferrer">{at}</a>'
        self.told.value = (
            f'<p><b>{here.name}</b> &nbsp; <span class="labkit-state" style="color: {colour}">'
            f"{escape(words)}</span>{link}</p>"
        )
        self._calm()

    def _press(self) -> None:
        if not self._here.address:
            self._do("is being started: this takes about half a minute …", self._start)
        elif self._here.busy and not self._really:
            self._really, self._clicks = True, self._clicks + 1
            asked = self._clicks
            self.button.description, self.button.button_style = "Really stop?", "danger"
            self._say(f"It prints. Press again within {REALLY_S:g} s to stop it all the same.")
            self._errands.later(REALLY_S, lambda: self._let_pass(asked))
        else:
            self._do("is being stopped …", self._stop)

    def _do(self, words: str, deed: Callable[[], PracticeNow]) -> None:
        self.button.disabled = True
        self._say(f"{self._here.name} {words}")
        self._errands.start(deed, self._done, self._troubled)

    def _start(self) -> PracticeNow:
        self._practice.start()
        return practice_now(self._number)

    def _stop(self) -> PracticeNow:
        self._practice.stop()
        return practice_now(self._number)

    def _done(self, here: PracticeNow) -> None:
        self._say("")
        self._show(here)

    def _troubled(self, words: str) -> None:
        self._say(words)
        self.button.disabled = False

    def _let_pass(self, asked: int) -> None:
        if self._really and asked == self._clicks:
            self._say("Nothing was stopped.")
            self._calm()

    def _calm(self) -> None:
        self._really = False
        verb = "Stop" if self._here.address else "Start"
        self.button.description, self.button.button_style = f"{verb} {self._practice.name}", ""
        self.button.disabled = False

    def _say(self, words: str) -> None:
        self.answer.value = f'<p role="status">{escape(words)}</p>' if words else ""
