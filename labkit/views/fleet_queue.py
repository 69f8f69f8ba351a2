"""The lab's queue on the board, the jobs that a person must look at, and the dispatcher."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape

import ipywidgets

from labkit.errors import InputError
from labkit.printing.attending import QueueWork
from labkit.printing.board import LabNow, why_not
from labkit.printing.fleet import settle
from labkit.printing.jobs import Job
from labkit.printing.queue import Queue
from labkit.views.errands import Errands
from labkit.views.fleet_cards import said
from labkit.views.fleet_words import jobs_table, queue_table

_WIDE = {"width": "30em"}
_LABEL = {"description_width": "9em"}


def heading(text: str) -> ipywidgets.HTML:
    """A heading on the board."""
    return ipywidgets.HTML(f"<h3>{escape(text)}</h3>")


def offer(choice: ipywidgets.Dropdown, options: Sequence[tuple[str, object]]) -> None:
    """Offer other options where they are other ones; what is chosen stays while it is offered."""
    if tuple(choice.options) == tuple(options):
        return
    kept = choice.value
    choice.options = tuple(options)
    values = [value for _, value in options]
    choice.value = kept if kept in values else next(iter(values), None)


class QueueDesk:
    """The queue with withdraw, and the dispatcher to start and stop.

    Parameters
    ----------
    work : the dispatcher of this kernel.
    look : asks the lab's queue again, at once.
    """

    def __init__(self, errands: Errands, work: QueueWork, look: Callable[[], None]) -> None:
        self._errands, self._work, self._look = errands, work, look
        self.table, self.answer = ipywidgets.HTML(), ipywidgets.HTML()
        self.begin = ipywidgets.Button(
            description="Work through the queue", layout={"width": "auto"}, button_style="primary"
        )
        self.leave = ipywidgets.Button(
            description="Stop", disabled=True, tooltip="prints that go on are left as they are"
        )
        self.dispatcher = ipywidgets.HTML()
        self.number = ipywidgets.Dropdown(description="request", style=_LABEL, layout=_WIDE)
        self.why = ipywidgets.Text(description="why", style=_LABEL, layout=_WIDE)
        self.withdraw = ipywidgets.Button(description="Withdraw")
        self._line = ipywidgets.HBox([self.number, self.why, self.withdraw])
        self.begin.on_click(lambda _: self._begin())
        self.leave.on_click(lambda _: self._leave())
        self.withdraw.on_click(lambda _: self._withdraw())
        self.widget = ipywidgets.VBox(
            [
                heading("The queue"),
                self.table,
                ipywidgets.HBox([self.begin, self.leave]),
                self.dispatcher,
                self._line,
                self.answer,
            ]
        )

    def show(self, lab: LabNow) -> None:
        """Draw the queue anew."""
        self.table.value = queue_table(lab.requests).html
        there = [one for one in lab.requests if one.status in ("waiting", "held")]
        offer(self.number, [(f"{one.number}: {one.case_code}", one.number) for one in there])
        self._line.layout.display = "" if there else "none"
        self._show_work()

    def _show_work(self) -> None:
        going = self._work.goes_on
        self.begin.disabled, self.leave.disabled = going, not going
        state = "▶ The queue is being worked through here." if going else ""
        self.dispatcher.value = said(" ".join([state, *self._work.said[-1:]]).strip())

    def _begin(self) -> None:
        self.begin.disabled = True
        self.answer.value = said("The queue is being taken up …")
        self._errands.start(self._work.start, self._began, self._refused)

    def _began(self, _: None) -> None:
        self.answer.value = ""
        self._show_work()

    def _leave(self) -> None:
        self.leave.disabled = True
        self._errands.start(self._work.stop, self._left, self._refused)

    def _left(self, _: None) -> None:
        self.answer.value = said("Stopped. Prints that had begun go on; the queue waits.")
        self._show_work()

    def _refused(self, words: str) -> None:
        self.answer.value = said(words)
        self._show_work()

    def _withdraw(self) -> None:
        number, why = self.number.value, self.why.value
        self._errands.start(partial(withdrawn, number, why), self._withdrew, self._refused)

    def _withdrew(self, words: str) -> None:
        self.answer.value, self.why.value = said(words), ""
        self._look()


def withdrawn(number: int | None, why: str) -> str:
    """Take a waiting request out of the queue; what became of it, in words.

    Raises
    ------
    InputError
        No request is chosen, or no reason is given.
    """
    if number is None or not why.strip():
        raise InputError(
            "a request to withdraw, without its number or the reason",
            expected="the number of a request that waits or is held, and why it is withdrawn",
            where="the lab's queue",
            fix="choose the request and say why",
        )
    queue = Queue()
    queue.withdraw(number, f"withdrawn: {why}")
    return f"request {number}: {queue.one(number).status}"


class LookDesk:
    """Jobs whose end nobody knows, to be settled by who looked at the printer."""

    def __init__(self, errands: Errands, look: Callable[[], None]) -> None:
        self._errands, self._look = errands, look
        self._jobs: dict[str, Job] = {}
        self.table, self.answer, self._reason = (ipywidgets.HTML() for _ in range(3))
        self.job = ipywidgets.Dropdown(description="job", style=_LABEL, layout=_WIDE)
        self.state = ipywidgets.Dropdown(
            options=["failed", "cancelled", "finished"],
            description="what it was",
            style=_LABEL,
            layout=_WIDE,
        )
        self.saw = ipywidgets.Text(
            description="what you saw",
            placeholder="the bed is empty",
            style=_LABEL,
            layout={"width": "40em"},
        )
        self.settle = ipywidgets.Button(description="Settle")
        self.settle.on_click(lambda _: self._settle())
        self.job.observe(lambda _: self._rights(), "value")
        self._form = ipywidgets.VBox(
            [
                heading("A person must look at"),
                self.table,
                self.job,
                self.state,
                self.saw,
                self.settle,
                self._reason,
            ]
        )
        self.widget = ipywidgets.VBox([self._form, self.answer])
        self.widget.layout.display = "none"

    def show(self, lab: LabNow) -> None:
        """Draw the jobs anew; the desk hides while there are none."""
        self._jobs = {job.job_id: job for job in lab.to_look_at}
        self.table.value = jobs_table(lab.to_look_at).html
        offer(
            self.job,
            [
                (f"{job.job_id}: {job.case_code} on {job.printer}", job.job_id)
                for job in lab.to_look_at
            ],
        )
        self._form.layout.display = "" if lab.to_look_at else "none"
        self.widget.layout.display = "" if lab.to_look_at or self.answer.value else "none"
        self._rights()

    def _rights(self) -> None:
        job = self._jobs.get(self.job.value)
        reason = "" if job is None or job.practice else why_not("settle")
        self.settle.disabled = bool(reason)
        self._reason.value = said(reason)

    def _settle(self) -> None:
        job_id, state, saw = self.job.value, self.state.value, self.saw.value
        self._errands.start(lambda: settle(job_id or "", state, saw), self._settled, self._refused)

    def _settled(self, job: Job) -> None:
        self.answer.value = said(f"settled: job {job.job_id} of {job.case_code}: {job.state}")
        self.saw.value = ""
        self._look()

    def _refused(self, words: str) -> None:
        self.answer.value = said(words)
