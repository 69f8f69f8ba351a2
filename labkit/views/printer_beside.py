"""The printer of a run that prints, beside what the run says: state, picture and buttons."""

from pathlib import Path

import ipywidgets

from labkit.printing.attending import Watches
from labkit.printing.printed_files import PrintedFiles
from labkit.views.errands import Errands
from labkit.views.fleet_cards import Card

LOOK_S = 2.0
"""How often the printer is asked."""


class PrinterBeside:
    """A printer's card for as long as a run is at work.

    Parameters
    ----------
    cases_dir : the folder that holds the lab's cases.
    """

    def __init__(self, cases_dir: Path, errands: Errands) -> None:
        self._files, self._errands = PrintedFiles(cases_dir), errands
        self._card: Card | None = None
        self.widget = ipywidgets.VBox()

    def show(self, printer: str) -> None:
        """Show this printer from now on, again and again; "" shows none."""
        if printer == (self._card.name if self._card else ""):
            return
        self._card = Card(printer, self._errands, Watches(), self._files) if printer else None
        if self._card is not None:
            self._card.watch.layout.display = "none"  # the run watches it already
            self._look(self._card)
        self.widget.children = [self._card.widget] if self._card else []

    def _look(self, card: Card) -> None:
        if card is self._card:
            card.look()
            self._errands.later(LOOK_S, lambda: self._look(card))
