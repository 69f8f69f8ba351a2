"""The fleet at this moment: what each printer does, for whom, and what waits."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from labkit.errors import InputError, LabkitError, PrinterError
from labkit.printing.jobs import BEFORE_START, OPEN, Job, Register
from labkit.printing.people import check_right
from labkit.printing.printers import connect, registered_printers
from labkit.printing.servers.kind import Printer
from labkit.printing.servers.messages import Heater, RunningJob
from labkit.printing.servers.practice import PracticePrinter, practice_number

Deed = Literal["pause", "resume", "cancel"]


@dataclass(frozen=True)
class Seen:
    """A printer as it was seen just now.

    Parameters
    ----------
    product : the kind of its server, "" where it did not answer.
    user : whom the key stands for.
    now : what it does; None where it did not answer.
    trouble : why it could not be asked, in words.
    job : the lab's job that it prints, or that was left open there.
    picture : a still of its camera.
    """

    name: str
    practice: bool
    product: str = ""
    version: str = ""
    user: str = ""
    now: RunningJob | None = None
    trouble: str = ""
    job: Job | None = None
    heaters: tuple[Heater, ...] = ()
    picture: bytes | None = None

    @property
    def says(self) -> str:
        """What it does, in a few words."""
        if self.now is None:
            return f"does not answer: {self.trouble}"
        known = self.now.done_share
        done = f", {100 * known:.0f} %" if self.now.is_busy and known is not None else ""
        whose = f", {self.job.case_code}" if self.job is not None else ""
        foreign = ", not of this lab's register" if self.now.is_busy and not self.job else ""
        return f"{self.now.state}{done}{whose}{foreign}"

    def as_dict(self) -> dict[str, object]:
        """For ``--json`` and tables."""
        return {
            "printer": self.name,
            "practice": self.practice,
            "kind": self.product,
            "version": self.version,
            "state": self.now.phase if self.now else "no answer",
            "says": self.says,
            "job": self.job.job_id if self.job else "",
            "case": self.job.case_code if self.job else "",
            "heaters": ", ".join(f"{h.name} {h.actual_c:.0f} °C" for h in self.heaters),
        }


def practice_names() -> list[str]:
    """The practice printers that this lab has started once and not stopped."""
    numbers = [n for n in range(1, 100) if PracticePrinter(number=n).state()]
    return [PracticePrinter(number=n).name for n in numbers]


def fleet(names: Iterable[str] | None = None, *, pictures: bool = False) -> list[Seen]:
    """Every printer of the lab, asked side by side, so that a dead one delays nobody.

    Parameters
    ----------
    names : of printers; left out, all registered ones and the practice ones that run.
    pictures : whether to ask for stills as well.

    Raises
    ------
    InputError
        ``printers.yaml`` cannot be read.
    StorageError
        The register cannot be used.
    """
    asked = [*registered_printers(), *practice_names()] if names is None else list(names)
    jobs = Register().jobs(states=OPEN)
    if not asked:
        return []
    with ThreadPoolExecutor(len(asked)) as threads:
        return list(threads.map(lambda name: _look(name, jobs, pictures=pictures), asked))


def _look(name: str, jobs: list[Job], *, pictures: bool) -> Seen:
    practice = practice_number(name) is not None
    job = next((job for job in jobs if job.printer == name), None)
    try:
        with reached(name) as (printer, _):
            who, now = printer.who(), printer.job()
            return Seen(
                *(name, practice, printer.product, who.version, who.user, now),
                job=next((one for one in jobs if one.file_name == now.file_name), None) or job,
                heaters=printer.heaters(),
                picture=printer.picture() if pictures else None,
            )
    except LabkitError as error:
        return Seen(name, practice, trouble=error.found, job=job)


@contextmanager
def reached(name: str) -> Iterator[tuple[Printer, bool]]:
    """As `connect`, but a practice printer only if it runs: this must not start one.

    Raises
    ------
    InputError
        As `connect`.
    PrinterError
        That practice printer does not run.
    """
    number = practice_number(name)
    if number is None:
        with connect(name) as found:
            yield found
        return
    running = PracticePrinter(number=number).attach()
    if running is None:
        raise PrinterError(
            "the practice printer does not run",
            expected=f"{name} to run",
            where=name,
            fix="start it with `labkit practice-printer`",
        )
    yield running, True


def act(name: str, deed: Deed) -> str:
    """Pause, resume or cancel what a printer prints for this lab; what was done, in words.

    Raises
    ------
    ApprovalError
        Cancelling, and this person may not.
    InputError
        It prints nothing of this lab's register.
    PrinterError
        It does not answer, or refuses.
    """
    login = check_right("cancel") if not practice_number(name) else "somebody"
    register = Register()
    with reached(name) as (printer, _):
        now = printer.job()
        job = next((j for j in register.jobs(states=OPEN) if j.file_name == now.file_name), None)
        if job is None or not now.is_busy:
            raise InputError(
                f"{name} prints nothing of this lab: {now.state}",
                expected="a print that this lab's register knows",
                where=name,
                fix="look at the printer; what others print is theirs to stop",
            )
        deeds: dict[Deed, Callable[[], None]] = {
            "pause": printer.pause,
            "resume": printer.resume,
            "cancel": printer.cancel,
        }
        register.note(job.job_id, f"{deed} asked for by {login}")
        deeds[deed]()
    return f"{deed} of job {job.job_id} on {name}"


def settle(job_id: str, state: Literal["finished", "failed", "cancelled"], saw: str) -> Job:
    """Close a job whose end nobody could know, by the word of a person who looked.

    Raises
    ------
    ApprovalError
        This person may not.
    InputError
        No such job, it is not open, or the person does not say what was seen.
    """
    register = Register()
    job = register.read(job_id)
    login = "somebody" if job.practice else check_right("settle")
    if not saw.strip():
        raise InputError(
            "a job to settle, and not what was seen",
            expected="what the person saw at the printer",
            where=f"job {job_id}",
            fix="say it: --saw 'the bed is empty'",
        )
    told = f"{login} looked at the printer: {saw}"
    if not register.advance(job_id, state, told, only_from=OPEN):
        raise InputError(
            f"job {job_id} is {job.state}",
            expected="a job that is starting, printing or lost",
            where=f"job {job_id} on {job.printer}",
            fix="nothing to settle; raise the attempt number to print again",
        )
    return register.read(job_id)


def withdraw(job_id: str, why: str) -> Job:
    """End a job that was not started yet.

    Raises
    ------
    InputError
        No such job, or it was started.
    """
    register = Register()
    job = register.read(job_id)
    if not register.advance(job_id, "cancelled", f"withdrawn: {why}", only_from=BEFORE_START):
        raise InputError(
            f"job {job_id} is {job.state}",
            expected="a job that was not started yet",
            where=f"job {job_id} on {job.printer}",
            fix="cancel it at the printer: `labkit jobs cancel`",
        )
    return register.read(job_id)
