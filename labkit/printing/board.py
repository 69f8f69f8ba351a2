"""What a fleet board shows at one moment, without drawing it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labkit.case import Case
from labkit.errors import CaseError, LabkitError
from labkit.printing.fleet import Seen, fleet
from labkit.printing.jobs import OPEN, Job, Register
from labkit.printing.people import Act, check_right
from labkit.printing.printed_files import PrintedFile, PrintedFiles
from labkit.printing.queue import Queue, Request
from labkit.printing.submission import START_KNOWN_AFTER_S
from labkit.printing.watching import ALARM

HELD_SHOWN = 10
"""Held requests stay in the queue's table for ever; the newest are shown."""

ALARMS_SHOWN = 3


@dataclass(frozen=True)
class PrinterNow:
    """A printer as it was seen, with the file that it prints and what the job's watch told.

    Parameters
    ----------
    file : what is known of the G-code that is printed.
    alarms : the newest, out of the job's record.
    may_not : why this person may not pause or cancel there; "" who may.
    """

    seen: Seen
    file: PrintedFile | None = None
    alarms: tuple[str, ...] = ()
    may_not: str = ""

    @property
    def prints_job(self) -> Job | None:
        """The lab's job that is being printed there; None where none is."""
        now, job = self.seen.now, self.seen.job
        ours = now is not None and job is not None and now.file_name == job.file_name
        return job if ours and now is not None and now.is_busy else None

    @property
    def left_open(self) -> Job | None:
        """A job that was asked for there, is not printed now, and whose end is not known."""
        return self.seen.job if self.prints_job is None else None

    @property
    def done_percent(self) -> float | None:
        """How much of the file is done; None where nothing is printed or nobody can tell."""
        now = self.seen.now
        if now is None or not now.is_busy or now.done_share is None:
            return None
        return 100 * now.done_share

    @property
    def layer(self) -> tuple[int, int] | None:
        """The layer that is printed, from 1, and how many there are; None where not known."""
        now = self.seen.now
        plan = self.file.plan if self.file is not None else None
        if now is None or not now.is_busy or plan is None or now.filepos_bytes is None:
            return None
        return plan.layer_at(now.filepos_bytes), len(plan)

    @property
    def left_s(self) -> float | None:
        """Time left, s: by the plan, else as the server estimates it."""
        now = self.seen.now
        if now is None or not now.is_busy:
            return None
        plan = self.file.plan if self.file is not None else None
        if plan is not None and now.filepos_bytes is not None:
            return plan.left_s(now.filepos_bytes, now.print_time_s)
        return now.remaining_s


def look_at(name: str, files: PrintedFiles, *, pictures: bool = True) -> PrinterNow:
    """A printer at this moment; one that does not answer says so.

    Raises
    ------
    InputError, StorageError
        As `fleet`.
    """
    (seen,) = fleet([name], pictures=pictures)
    may_not = "" if seen.practice else why_not("cancel")
    if seen.job is None:
        return PrinterNow(seen, may_not=may_not)
    history = Register().read(seen.job.job_id).history
    alarms = [line.seen for line in history if line.seen.startswith(ALARM)][-ALARMS_SHOWN:]
    return PrinterNow(seen, files.of(seen.job), tuple(alarms), may_not)


def why_not(act: Act) -> str:
    """Why this person may not do something, in words; "" who may."""
    try:
        check_right(act)
    except LabkitError as error:
        return error.found
    return ""


@dataclass(frozen=True)
class LabNow:
    """The lab's queue, and the jobs that a person must look at."""

    requests: tuple[Request, ...] = ()
    to_look_at: tuple[Job, ...] = ()


def lab_now() -> LabNow:
    """The queue and the jobs of the lab at this moment.

    Raises
    ------
    InputError, StorageError
        The register or the queue cannot be used.
    """
    queue = Queue()
    held = queue.requests("held")[-HELD_SHOWN:]
    requests = sorted([*queue.requests("waiting", "taken"), *held], key=lambda one: one.number)
    register = Register()
    lost = [job for job in register.jobs(states=OPEN) if _needs_a_look(job, register)]
    return LabNow(tuple(requests), tuple(lost))


def _needs_a_look(job: Job, register: Register) -> bool:
    """Lost; or starting for longer than an answer takes."""
    if job.state != "starting":
        return job.state == "lost"
    asked = [line.at for line in register.read(job.job_id).history if line.state == "starting"]
    late = timedelta(seconds=2 * START_KNOWN_AFTER_S)
    return not asked or datetime.now(UTC) - datetime.fromisoformat(asked[0]) > late


def sliced_cases(cases_dir: Path) -> dict[str, Path]:
    """The folder of each case that was sliced, by its code.

    Folders are not named on the board: they may be called anything, also after a patient.
    """
    found: dict[str, Path] = {}
    for order in sorted(cases_dir.glob("*/order.yaml")):
        try:
            case = Case(order.parent)
            if case.current("04_slicing") is None:
                continue
        except CaseError:
            continue
        name, count = case.order.case, 1
        while name in found:
            count += 1
            name = f"{case.order.case} ({count})"
        found[name] = order.parent
    return found
