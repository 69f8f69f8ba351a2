"""The lab's queue at work: each free printer gets what is next for it, and only once.

A request that a printer could not begin goes back into the queue and to another printer; one
whose start is not certain stays with its printer until the server shows more, and is then
held for a person.  The dispatcher may be killed at any moment: the next one takes up what
its database says.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

from labkit.errors import CaseError, LabkitError, PrinterError
from labkit.files import sha256_of
from labkit.printing.hubs.dispatch import Policy, choose
from labkit.printing.hubs.fairness import next_of
from labkit.printing.hubs.places import Live
from labkit.printing.hubs.suitability import Place
from labkit.printing.jobs import BEFORE_START, ENDED, OPEN, Job, Register
from labkit.printing.plan import Plan
from labkit.printing.queue import Queue, Request
from labkit.printing.record import JobRecord, record_of
from labkit.printing.servers.kind import Printer
from labkit.printing.submission import follow_job, print_once
from labkit.printing.watching import Progress

TICK_S = 0.5
"""How often the dispatcher looks at queue and printers."""

REST_S = 30.0
"""How long a printer that could not begin a print is left alone."""

LOOK_AGAIN_S = 60.0
"""How often a print that was lost is looked for again."""

LOOKED_AT = 50
"""So many of those that are next are held against the printers at each look."""

Connect = Callable[[str], AbstractContextManager[tuple[Printer, bool]]]
Places = Callable[[dict[str, Live], datetime], list[Place]]
Say = Callable[[str], None]


@dataclass
class _Work:
    thread: threading.Thread
    done_at: datetime


@dataclass
class Dispatcher:
    """The queue of the lab, worked through.

    Parameters
    ----------
    connect : a printer by its name, and whether it is for practice.
    printers : the names of the printers that it may use.
    places : what each of them can do at this moment, and when it is free.
    say : takes a sentence for each thing that happens.
    tell : takes the number of a request and its `Progress`.
    """

    connect: Connect
    printers: tuple[str, ...]
    places: Places
    policy: Policy
    say: Say = lambda _: None
    tell: Callable[[int, Progress], None] = lambda _number, _progress: None
    silence_limit_s: float = 60.0
    rest_s: float = REST_S
    _queue: Queue = field(default_factory=Queue)
    _register: Register = field(default_factory=Register)
    _work: dict[str, _Work] = field(default_factory=dict)
    _resting: dict[str, tuple[float, str]] = field(default_factory=dict)
    _look_again_at: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, *, until_empty: bool = True) -> None:
        """Work until nothing waits that any printer could begin, or until `stop`.

        Raises
        ------
        LabkitError
            The queue or the register cannot be used.
        """
        self._take_up()
        while not self._stop.is_set():
            self._collect()
            if time.monotonic() > self._look_again_at:
                self._take_up()
            could = self._hand_out()
            if until_empty and not self._work and not could and not self._resting:
                break
            self._stop.wait(TICK_S)

    def stop(self) -> None:
        """Leave everything as it is: prints go on, and the next dispatcher takes them up."""
        self._stop.set()

    def _take_up(self) -> None:
        """What a printer was given before stays with it; what was lost there is looked at again."""
        self._look_again_at = time.monotonic() + LOOK_AGAIN_S
        for request in self._queue.requests("taken", "held"):
            if request.printer not in self.printers or request.printer in self._work:
                continue
            if request.status == "held" and not self._may_have_cleared_up(request):
                continue
            if request.status == "taken":
                self.say(f"request {request.number} is taken up again on {request.printer}")
            self._begin(request, request.printer)

    def _may_have_cleared_up(self, request: Request) -> bool:
        """Whether the server, or a person who looked, may know by now what became of it."""
        job = self._job(request, request.printer)
        return (
            job is not None
            and job.state in ("lost", "finished")
            and self._queue.take_again(request.number)
        )

    def _collect(self) -> None:
        for printer, work in list(self._work.items()):
            if not work.thread.is_alive():
                del self._work[printer]
        moment = time.monotonic()
        self._resting = {name: rest for name, rest in self._resting.items() if rest[0] > moment}

    def _hand_out(self) -> bool:
        """Give what is next to the printers that are free; whether anything could be printed."""
        moment = datetime.now(UTC)
        waiting = {request.waiting.name: request for request in self._queue.requests("waiting")}
        left = [request.waiting for request in waiting.values()]
        free_at = {
            name: self._work[name].done_at if name in self._work else moment
            for name in self.printers
        }
        could = False
        for _ in range(min(len(left), LOOKED_AT)):
            following = next_of(left, moment, self.policy)
            assert following is not None
            left.remove(following)
            request = waiting[following.name]
            live = {
                name: Live(free_at[name], self._resting.get(name, (0.0, ""))[1])
                for name in self.printers
            }
            decision = choose(request.need, self.places(live, moment), self.policy, moment)
            place = decision.chosen
            if place is None:
                if request.told != decision.why:
                    self._queue.tell(request.number, decision.why)
                    self.say(f"request {request.number} waits. {decision.why}")
                continue
            could = True
            busy = place.printer in self._work or free_at[place.printer] > moment
            # what stands before it counts for those that come after it
            free_at[place.printer] = max(free_at[place.printer], moment) + timedelta(
                seconds=request.need.print_time_s
            )
            if not busy and self._queue.take(request.number, place.printer, decision.why):
                self.say(f"request {request.number}: {decision.why}")
                self._begin(self._queue.one(request.number), place.printer)
        return could

    def _begin(self, request: Request, printer: str) -> None:
        done_at = datetime.now(UTC) + timedelta(seconds=request.need.print_time_s)
        # a daemon: dying in the middle is what every step is made for
        thread = threading.Thread(target=self._print, args=(request, printer), daemon=True)
        self._work[printer] = _Work(thread, done_at)
        thread.start()

    def _print(self, request: Request, name: str) -> None:
        """One request on one printer, until it has ended, is held, or is given back."""
        silent_since = time.monotonic()
        while True:
            try:
                record = self._printed(request, name)
            except LabkitError as error:
                job = self._job(request, name)
                if job is None or job.state not in OPEN:
                    self._leave(request, name, error)
                    return
                # it may print: the server is asked until it tells, or is given up as lost
                if time.monotonic() - silent_since > self.silence_limit_s:
                    told = f"lost contact: {error.found}"
                    self._register.advance(
                        job.job_id, "lost", told, only_from=("starting", "printing")
                    )
                    record = record_of(self._register.read(job.job_id), self._register)
                elif self._stop.wait(4 * TICK_S):
                    return
                else:
                    continue
            except KeyboardInterrupt:  # from `_tell`
                return
            self._settle(request, name, record)
            return

    def _tell(self, request: Request, progress: Progress) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt
        self.tell(request.number, progress)

    def _printed(self, request: Request, name: str) -> JobRecord:
        job = self._job(request, name)
        tell, plan = partial(self._tell, request), plan_beside(request)
        if job is not None and job.state in ENDED:
            return record_of(self._register.read(job.job_id), self._register)
        if job is not None and job.state in OPEN:
            with self.connect(name) as (printer, _):
                return follow_job(
                    job.job_id,
                    printer,
                    plan=plan,
                    silence_limit_s=self.silence_limit_s,
                    progress=tell,
                )
        if not request.gcode.is_file() or sha256_of(request.gcode) != request.gcode_sha256:
            raise CaseError(
                f"the G-code of request {request.number} is not what was asked for",
                expected=f"the file with the SHA-256 {request.gcode_sha256}",
                where=request.gcode.name,
                fix="withdraw the request, and ask again with the file as it is now",
            )
        with self.connect(name) as (printer, practice):
            return print_once(
                request.gcode,
                case_code=request.case_code,
                printer_name=name,
                printer=printer,
                practice=practice,
                attempt=request.attempt,
                approval=request.approval,
                material_lot=request.material_lot,
                plan=plan,
                silence_limit_s=self.silence_limit_s,
                progress=tell,
            )

    def _leave(self, request: Request, name: str, error: LabkitError) -> None:
        """Take a request from a printer where its job surely never started."""
        if isinstance(error, PrinterError):
            self._resting[name] = (time.monotonic() + self.rest_s, error.found)
            self._queue.give_back(request.number, f"{name} could not begin it: {error.found}")
        else:
            self._queue.close(request.number, "held", str(error))
        self.say(f"request {request.number} leaves {name}: {error.found}")

    def _settle(self, request: Request, name: str, record: JobRecord) -> None:
        told = f"{name}, job {record.job}: {record.summary}"
        if record.state == "finished":
            self._withdraw_others(record)
        status: Literal["done", "held"] = "done" if record.state == "finished" else "held"
        self._queue.close(request.number, status, told)
        if told != request.told:
            self.say(f"request {request.number} is {status}. {told}")

    def _withdraw_others(self, record: JobRecord) -> None:
        """End what was prepared for the same attempt on printers that could not begin it."""
        for job in self._register.jobs(case_code=record.case, states=BEFORE_START):
            same = job.canonical_sha256 == record.canonical_sha256
            if same and (job.attempt, job.practice) == (record.attempt, record.practice):
                told = f"printed on {record.printer}, as job {record.job}"
                self._register.advance(job.job_id, "cancelled", told, only_from=BEFORE_START)

    def _job(self, request: Request, name: str) -> Job | None:
        asked = (name, request.gcode_sha256, request.attempt, request.practice)
        known = self._register.jobs(case_code=request.case_code)
        same = (j for j in known if (j.printer, j.sha256, j.attempt, j.practice) == asked)
        return next(same, None)


def plan_beside(request: Request) -> Plan | None:
    """The plan in the ``gcode.json`` that lies beside a request's file, or None."""
    told = request.gcode.with_name("gcode.json")
    return Plan.read(told) if told.is_file() else None
