"""The fleet in words and signs: each state can be told without colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from labkit.pace import duration
from labkit.printing.board import LabNow, PrinterNow
from labkit.printing.jobs import Job
from labkit.printing.queue import Request
from labkit.views.print_style import BUSY, READY, WAITS, WRONG
from labkit.views.words import Words, joined, message, table


@dataclass(frozen=True)
class State:
    """A state by its sign, in words, and in a colour that adds nothing to them."""

    sign: str
    words: str
    colour: str

    def __str__(self) -> str:
        return f"{self.sign} {self.words}"


def state_of(here: PrinterNow) -> State:
    """What a printer does, as a technician says it."""
    now, left = here.seen.now, here.left_open
    if now is None:
        return State("✘", f"does not answer: {here.seen.trouble}", WRONG)
    if now.is_busy and here.prints_job is None:
        return State("◆", "prints something that is not of this lab's register", WAITS)
    if now.phase == "paused":
        return State("‖", "paused", WAITS)
    if now.is_busy:
        # the servers' own words tell pausing and cancelling from printing
        return State("▶", now.state.lower(), BUSY)
    if now.phase == "offline":
        return State("✘", f"offline: {now.error or now.state}", WRONG)
    if left is not None and left.state == "lost":
        return State("▲", f"look at this printer: job {left.job_id} was lost", WRONG)
    if left is not None:
        return State("▲", f"idle, but the end of job {left.job_id} is not written down", WAITS)
    return State("✔", "ready", READY)


def layer_words(here: PrinterNow) -> str:
    """The layer, in words; "" where it is not known."""
    if here.layer is None:
        return ""
    layer, layers = here.layer
    return f"layer {layer} of {layers}" if layer else f"before layer 1 of {layers}"


def lines(here: PrinterNow) -> list[str]:
    """What there is to know of a printer below its state, a sentence a line."""
    job = here.prints_job or here.left_open
    told = []
    if job is not None:
        attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
        told.append(f"case {job.case_code}, job {job.job_id}{attempt}")
    known = [layer_words(here), "" if here.left_s is None else f"{duration(here.left_s)} left"]
    if any(known):
        told.append(", ".join(filter(None, known)))
    heat = [
        f"{h.name} {h.actual_c:.0f} " + (f"of {h.target_c:.0f} °C" if h.target_c else "°C, off")
        for h in here.seen.heaters
    ]
    if heat:
        told.append("; ".join(heat))
    return told


def head(here: PrinterNow) -> str:
    """HTML of a card's upper part: name, kind, state, progress, and what else is known."""
    seen, state = here.seen, state_of(here)
    kind = [f"{seen.product} {seen.version}".strip(), "for practice" if seen.practice else ""]
    small = escape(", ".join(filter(None, kind)))
    html = [
        f"<h4>{escape(seen.name)}</h4><p><small>{small}</small></p>",
        f'<p class="labkit-state" style="color: {state.colour}">{escape(str(state))}</p>',
    ]
    done = here.done_percent
    if done is not None:
        html.append(
            '<div class="labkit-done"><div class="labkit-bar" role="progressbar" '
            f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{done:.0f}" '
            f'aria-label="print on {escape(seen.name)}">'
            f'<div style="width: {done:.1f}%"></div></div>{done:.0f} %</div>'
        )
    html += [f"<p>{escape(line)}</p>" for line in lines(here)]
    return "".join(html)


def alarms(told: Sequence[str]) -> str:
    """HTML of alarms, one box each; a screen reader reads them out when they are new."""
    return "".join(f'<p class="labkit-alarm" role="alert">▲ {escape(line)}</p>' for line in told)


QUEUE_COLUMNS = ("number", "case", "priority", "status", "printer", "why")
_STATUS = {"waiting": "○ waiting", "taken": "▶ taken", "held": "▲ held: a person has to look"}


def queue_table(requests: Sequence[Request]) -> Words:
    """The queue: what is asked for, how it stands, and why it waits."""
    if not requests:
        return message("Nothing waits.")
    rows = []
    for one in requests:
        case = one.case_code + (f", attempt {one.attempt}" if one.attempt > 1 else "")
        case += ", practice" if one.practice else ""
        status = _STATUS.get(one.status, one.status)
        rows.append((one.number, case, one.need.priority, status, one.printer or None, one.told))
    return table(rows, QUEUE_COLUMNS)


def jobs_table(jobs: Sequence[Job]) -> Words:
    """Jobs that a person has to look at."""
    rows = [
        (job.job_id, job.case_code, job.printer, f"▲ {job.state}: nobody knows what became of it")
        for job in jobs
    ]
    return table(rows, ["job", "case", "printer", "state"])


def fleet_table(printers: Sequence[PrinterNow]) -> Words:
    """All printers at one moment, a row each."""
    if not printers:
        return message(NO_PRINTERS)
    rows = []
    for here in printers:
        job, done = here.prints_job or here.left_open, here.done_percent
        rows.append(
            (
                here.seen.name + (", practice" if here.seen.practice else ""),
                str(state_of(here)),
                job.case_code if job else None,
                job.job_id if job else None,
                None if done is None else f"{done:.0f} %",
                layer_words(here) or None,
                None if here.left_s is None else duration(here.left_s),
                "; ".join(here.alarms) or None,
            )
        )
    return table(rows, ["printer", "state", "case", "job", "done", "layer", "left", "alarms"])


NO_PRINTERS = (
    "No printers. Enter one: labkit printers add; "
    "or start some to practise on: labkit practice-printer --count 3"
)


def everything(printers: Sequence[PrinterNow], lab: LabNow) -> Words:
    """The board without anything to press: printers, queue, jobs to look at."""
    parts = [fleet_table(printers), message("The queue:"), queue_table(lab.requests)]
    if lab.to_look_at:
        parts += [message("A person must look at:"), jobs_table(lab.to_look_at)]
    return joined(parts)
