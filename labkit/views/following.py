"""A run beside the page: begun, followed and cancelled by a person."""

from collections.abc import Callable
from html import escape
from pathlib import Path

import ipywidgets

from labkit.pace import duration
from labkit.procedures.beside import RunBeside
from labkit.views.errands import Errands
from labkit.views.print_style import BUSY, WRONG

LOOK_AT_RUN_S = 1.0
"""How often a run is asked how far it is."""

_RUNS: dict[Path, RunBeside] = {}
"""The runs that this kernel started, by case folder; the page may be drawn anew meanwhile."""


class Following:
    """What a page says of the run of a case, and the button that cancels it.

    Parameters
    ----------
    case : the case folder; of each there is one run at most.
    changed : called when a run began or ended, and when something was said.
    ended : called with a run that came to its end by itself.
    """

    def __init__(
        self,
        case: Path,
        errands: Errands,
        *,
        changed: Callable[[], None] = lambda: None,
        ended: Callable[[RunBeside], None] = lambda _: None,
    ) -> None:
        self.case = case
        self._errands, self._changed, self._ended = errands, changed, ended
        self._begins = False
        self.answer = ipywidgets.HTML()
        self.cancel = ipywidgets.Button(description="Cancel the run", layout={"width": "auto"})
        self.cancel.layout.display = "none"
        self.cancel.on_click(lambda _: self._stop())

    @property
    def is_ours(self) -> bool:
        """Whether this kernel has a run of this case at work."""
        return self.case in _RUNS

    def start(self, begin: Callable[[], RunBeside]) -> None:
        """Begin a run, unless one is at work or about to be."""
        if not (self.is_ours or self._begins):
            self._begins = True
            self._errands.start(begin, self._started, self._not_started)

    def follow(self) -> None:
        """Say how far the run is, again and again until its end."""
        run = _RUNS.get(self.case)
        if run is None:
            self.say("")
            return
        if run.is_running:
            word = "is being cancelled" if run.was_stopped else run.step()
            self.answer.value = (
                f'<p style="color: {BUSY}"><b>▶ {escape(run.stage)}</b> {escape(word)}'
                f" &nbsp; {duration(run.seconds)} so far</p>"
            )
            self._errands.later(LOOK_AT_RUN_S, self.follow)
            return
        _RUNS.pop(self.case)
        self._end(run)

    def say(self, words: str, *, alarm: bool = False) -> None:
        """Say something in place of what was said before."""
        look = f'role="alert" style="color: {WRONG}"' if alarm else 'role="status"'
        self.answer.value = f"<p {look}>{escape(words)}</p>" if words else ""
        self._weigh()

    def _started(self, run: RunBeside) -> None:
        self._begins = False
        _RUNS[self.case] = run
        self._weigh()
        self.follow()

    def _not_started(self, words: str) -> None:
        self._begins = False
        self.say(words, alarm=True)

    def _end(self, run: RunBeside) -> None:
        trouble = run.trouble()
        if run.was_stopped:
            self.say(f"{run.stage} was cancelled. The case is as it was before.")
        elif trouble:
            self.say(f"✘ {trouble}", alarm=True)
        else:
            self.say(f"{run.stage}: {run.step()}")
        run.forget()
        self._ended(run)

    def _stop(self) -> None:
        run = _RUNS.get(self.case)
        if run is not None:
            self.cancel.disabled = True
            self._errands.start(run.stop, lambda _: self._let_go(), self.say)

    def _let_go(self) -> None:
        self.cancel.disabled = False

    def _weigh(self) -> None:
        self.cancel.layout.display = None if self.is_ours else "none"
        self._changed()
