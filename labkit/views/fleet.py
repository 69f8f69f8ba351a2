"""The lab's printers on one page, with what a person may do to them."""

import asyncio
import contextlib
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import ipywidgets
from IPython.display import display

from labkit.errors import LabkitError
from labkit.printing.attending import QueueWork, Watches
from labkit.printing.board import LabNow, PrinterNow, lab_now, look_at, sliced_cases
from labkit.printing.fleet import practice_names
from labkit.printing.printed_files import PrintedFiles
from labkit.printing.printers import registered_printers
from labkit.views.errands import Errands, LoopErrands
from labkit.views.fleet_cards import Card, said
from labkit.views.fleet_queue import LookDesk, QueueDesk
from labkit.views.fleet_sending import SendForm
from labkit.views.fleet_words import NO_PRINTERS, everything, layer_words
from labkit.views.picture import Picture
from labkit.views.presence import somebody_looks_on
from labkit.views.print_style import STYLE
from labkit.views.stills import still
from labkit.views.words import Words

CASES_S = 10.0
"""How often the folder of cases is looked through."""

_WATCHES, _QUEUE_WORK = Watches(), QueueWork()
_BOARDS: list["Board"] = []
"""The board that is being refreshed, of which there is one in a kernel."""


def fleet_board(cases_dir: str | Path, *, refresh_s: float = 2.0) -> "Words | Board":
    """The lab's printers, its queue, and what a person must look at.

    In JupyterLab it is refreshed until its cell is run again or the kernel is interrupted;
    where nobody looks on it is drawn once, and only to be read.

    Parameters
    ----------
    cases_dir : the folder that holds the lab's cases.
    refresh_s : how often printers and queue are asked, s.

    Raises
    ------
    InputError, StorageError
        Nobody looks on, and printers, queue or register cannot be read.
    """
    while _BOARDS:
        _BOARDS.pop().stop()
    if not somebody_looks_on():
        return _drawn_once(Path(cases_dir))
    board = Board(Path(cases_dir), refresh_s)
    _BOARDS.append(board)
    board.begin()
    return board


def known_printers() -> list[str]:
    """The printers of the lab by name: registered ones, and practice ones that were started."""
    return [*sorted(registered_printers()), *practice_names()]


def _drawn_once(cases_dir: Path) -> Words:
    files = PrintedFiles(cases_dir)
    printers = [look_at(name, files) for name in known_printers()]
    for picture in filter(None, map(_picture, printers)):
        display(picture)  # type: ignore[no-untyped-call]
    return everything(printers, lab_now())


def _picture(here: PrinterNow) -> Picture | None:
    planned = here.file.picture if here.file is not None and here.prints_job else None
    return still(here.seen.picture, planned, here.seen.name, layer_words(here))


class Board:
    """The page: cards, queue, jobs to look at, and the form to send a case."""

    def __init__(self, cases_dir: Path, refresh_s: float, errands: Errands | None = None) -> None:
        self._cases_dir, self._refresh_s = cases_dir, max(refresh_s, 0.2)
        self._errands = errands or LoopErrands(asyncio.get_running_loop())
        self._files = PrintedFiles(cases_dir)
        self._lab_is_asked = False
        self._cases_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._before: Any = None
        self.cards: dict[str, Card] = {}
        self.state, self.trouble = ipywidgets.HTML(), ipywidgets.HTML()
        self._row = ipywidgets.HBox(layout={"flex_flow": "row wrap"})
        self.queue = QueueDesk(self._errands, _QUEUE_WORK, self._ask_lab)
        self.to_look_at = LookDesk(self._errands, self.look)
        self.sending = SendForm(self._errands, _WATCHES, self.look)
        self.widget = ipywidgets.VBox(
            [
                ipywidgets.HTML(STYLE),
                self.state,
                self.trouble,
                self._row,
                self.to_look_at.widget,
                self.queue.widget,
                self.sending.widget,
            ]
        )
        self.widget.add_class("labkit-fleet")

    def _ipython_display_(self) -> None:
        display(self.widget)  # type: ignore[no-untyped-call]

    def begin(self) -> None:
        """Ask again and again, on the kernel's own loop."""
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    def stop(self) -> None:
        """Leave printers and prints as they are, and ask nothing any more."""
        self.state.value = said("This board is not refreshed any more. Run its cell again.")
        if self._task is not None:
            self._task.cancel()
        if isinstance(self._errands, LoopErrands):
            self._errands.stop()

    async def _go_on(self) -> None:
        self._listen_to_interrupts()
        try:
            while True:
                self.look()
                await asyncio.sleep(self._refresh_s)
        finally:
            self._give_back_interrupts()

    def _listen_to_interrupts(self) -> None:
        # an idle kernel ignores interrupts; while it works they are for the cell that runs
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()

        def interrupted(_signal: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.stop)

        self._before = signal.signal(signal.SIGINT, interrupted)

    def _give_back_interrupts(self) -> None:
        if self._before is not None:
            with contextlib.suppress(ValueError):
                signal.signal(signal.SIGINT, self._before)

    def look(self) -> None:
        """Ask every printer and the lab's books; who still answers is not asked twice."""
        try:
            names = known_printers()
            self.trouble.value = said("" if names else NO_PRINTERS)
        except LabkitError as error:
            names = list(self.cards)
            self.trouble.value = said(str(error))
        if names != list(self.cards):
            self.cards = {name: self.cards.get(name) or self._card(name) for name in names}
            self._row.children = [card.widget for card in self.cards.values()]
            self.sending.show_printers(names)
        for card in self.cards.values():
            card.look()
        self._ask_lab()
        if time.monotonic() - self._cases_at > CASES_S:
            self._cases_at = time.monotonic()
            folder = self._cases_dir
            self._errands.start(
                lambda: sliced_cases(folder), self.sending.show_cases, self._troubled
            )

    def _card(self, name: str) -> Card:
        return Card(name, self._errands, _WATCHES, self._files)

    def _ask_lab(self) -> None:
        if self._lab_is_asked:
            return
        self._lab_is_asked = True

        def known(lab: LabNow) -> None:
            self._lab_is_asked = False
            self.queue.show(lab)
            self.to_look_at.show(lab)
            clock = time.strftime("%H:%M:%S")
            self.state.value = f"<p>Seen at {clock}, again every {self._refresh_s:g} s.</p>"

        self._errands.start(lab_now, known, self._troubled)

    def _troubled(self, words: str) -> None:
        self._lab_is_asked = False
        self.trouble.value = said(words)
