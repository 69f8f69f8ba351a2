"""A card for each printer: what it does, and the buttons for what it prints."""

import time
from collections.abc import Callable
from html import escape

import ipywidgets

from labkit.printing.attending import Watches
from labkit.printing.board import PrinterNow, look_at
from labkit.printing.fleet import Deed, act
from labkit.printing.jobs import Job
from labkit.printing.printed_files import PrintedFiles
from labkit.views.errands import Errands
from labkit.views.fleet_words import alarms, head, layer_words
from labkit.views.stills import PICTURE_S, figure_of, still

REALLY_S = 5.0
"""How long a second click on cancel counts as meant."""

_BUTTON = {"width": "auto"}


def said(text: str) -> str:
    """HTML of what came of a click; a screen reader reads it out."""
    return f'<p role="status">{escape(text)}</p>' if text else ""


class Card:
    """One printer on the board.

    Parameters
    ----------
    name : of the printer.
    watches : the prints that this kernel follows.
    files : what is known of the G-code that printers have.
    """

    def __init__(self, name: str, errands: Errands, watches: Watches, files: PrintedFiles) -> None:
        self.name = name
        self._errands, self._watches, self._files = errands, watches, files
        self._is_asked = False
        self._still: bytes | None = None
        self._still_at = -PICTURE_S
        self._here: PrinterNow | None = None
        self._really: Job | None = None
        self._clicks = 0
        self._head, self._picture = ipywidgets.HTML(), ipywidgets.HTML()
        self._alarms, self._why, self.answer = (ipywidgets.HTML() for _ in range(3))
        self.pause = self._button("Pause", "pause", lambda: self._do("pause"))
        self.resume = self._button("Resume", "resume", lambda: self._do("resume"))
        self.cancel = self._button("Cancel", "cancel", self._cancel)
        self.watch = self._button("Watch", "follow to its end", self._follow)
        buttons = ipywidgets.HBox(
            [self.pause, self.resume, self.cancel, self.watch], layout={"flex_flow": "row wrap"}
        )
        self.widget = ipywidgets.VBox(
            [self._head, self._alarms, self._picture, buttons, self._why, self.answer]
        )
        self.widget.add_class("labkit-card")
        self._head.value = f"<h4>{escape(name)}</h4><p>is being asked …</p>"

    def _button(self, label: str, what: str, press: Callable[[], None]) -> ipywidgets.Button:
        tip = f"{what} the print on {self.name}"
        button = ipywidgets.Button(
            description=label, tooltip=tip, layout=dict(_BUTTON), disabled=True
        )
        button.on_click(lambda _: press())
        return button

    def look(self) -> None:
        """Ask the printer; one that has not answered yet is not asked twice."""
        if self._is_asked:
            return
        self._is_asked = True
        pictures = time.monotonic() - self._still_at >= PICTURE_S
        self._errands.start(
            lambda: look_at(self.name, self._files, pictures=pictures),
            lambda here: self._answered(here, pictures),
            self._failed,
        )

    def _answered(self, here: PrinterNow, pictures: bool) -> None:
        self._is_asked = False
        if pictures:
            self._still, self._still_at = here.seen.picture, time.monotonic()
        self.show(here, self._still)

    def _failed(self, words: str) -> None:
        self._is_asked = False
        self.trouble(words)

    def show(self, here: PrinterNow, camera: bytes | None = None) -> None:
        """Draw the card anew, with the camera's last still where there is one."""
        self._here = here
        self._head.value, self._alarms.value = head(here), alarms(here.alarms)
        job, layer = here.prints_job, layer_words(here)
        planned = here.file.picture if here.file is not None and here.prints_job else None
        found = still(camera, planned, here.seen.name, layer)
        caption = "camera" if camera else "as planned: no camera"
        busy = here.seen.now is not None and here.seen.now.is_busy
        shown = found is not None or busy
        self._picture.value = figure_of(found, caption, layer) if shown else ""
        paused = here.seen.now is not None and here.seen.now.phase == "paused"
        self.pause.disabled = job is None or paused or bool(here.may_not)
        self.resume.disabled = job is None or not paused or bool(here.may_not)
        self.cancel.disabled = job is None or bool(here.may_not)
        ours = here.seen.job
        self.watch.disabled = ours is None or self._watches.is_watched(ours.job_id)
        self.watch.description = (
            "Watched" if ours is not None and self._watches.is_watched(ours.job_id) else "Watch"
        )
        self._why.value = said(here.may_not) if job is not None else ""
        if self._really is not None and (job is None or job.job_id != self._really.job_id):
            self._calm()

    def trouble(self, words: str) -> None:
        """Say what stands in the way of asking or doing."""
        self.answer.value = said(words)

    def _do(self, deed: Deed) -> None:
        self.answer.value = said(f"{deed} is asked for …")
        self._errands.start(lambda: act(self.name, deed), self._done, self.trouble)

    def _done(self, words: str) -> None:
        self.answer.value = said(words)
        self.look()

    def _cancel(self) -> None:
        """The first click asks, the second within `REALLY_S` cancels that same print."""
        job = self._here.prints_job if self._here is not None else None
        if job is None:
            self._calm()
            self.answer.value = said("There is no print of this lab to cancel.")
            return
        if self._really is None:
            self._really = job
            self._clicks += 1
            asked = self._clicks
            self.cancel.description, self.cancel.button_style = "Really cancel?", "danger"
            self.answer.value = said(f"Press again within {REALLY_S:g} s to cancel the print.")
            self._errands.later(REALLY_S, lambda: self._let_pass(asked))
            return
        self._calm()
        self._do("cancel")

    def _let_pass(self, asked: int) -> None:
        if self._really is not None and asked == self._clicks:
            self._calm()
            self.answer.value = said("Nothing was cancelled.")

    def _calm(self) -> None:
        self._really = None
        self.cancel.description, self.cancel.button_style = "Cancel", ""

    def _follow(self) -> None:
        here = self._here
        job = here.seen.job if here is not None else None
        if here is None or job is None:
            self.answer.value = said("There is no print of this lab to watch.")
            return
        self._watches.begin(job.job_id, self.name, here.file.plan if here.file else None)
        self.watch.disabled, self.watch.description = True, "Watched"
        self.answer.value = said(
            f"job {job.job_id} is watched to its end by this notebook; "
            "leaving it leaves the print as it is"
        )
