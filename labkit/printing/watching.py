"""A print followed to its end, by what the server pushes and by asking it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from labkit.errors import PrinterError
from labkit.printing.plan import Plan
from labkit.printing.servers.kind import Channel, Printer
from labkit.printing.servers.messages import Ended, Fault, Heater, Pushed, Running, RunningJob, Said

POLL_S = 1.0
WRITE_S = 2.0
"""How often the position goes into the register."""

HEAT_S = 5.0
"""How often the temperatures are asked for."""

OUTSIDE_S = 15.0
"""A temperature may be outside its window for so long before it is told."""

ALARM = "ALARM: "
"""How a sentence begins that asks somebody to look at the printer."""

AFTERMATH_S = 1.0
"""Why a print ended may be told for so long after its end."""

SETTLE_S = 10.0
"""How long an idle server may take to show what became of a print."""


@dataclass(frozen=True)
class Outcome:
    """How a print ended, as far as it is known, and what that was seen from."""

    state: Literal["finished", "failed", "cancelled", "lost"]
    seen: str
    print_time_s: float | None = None


@dataclass(frozen=True)
class Progress:
    """Where a job stands: its state, bytes done of bytes in all, and a sentence.

    ``layer`` of ``layers`` count from 1, 0 where they are not known; ``left_s`` is None
    where nobody can tell.
    """

    state: str
    done_bytes: int
    size_bytes: int
    says: str
    layer: int = 0
    layers: int = 0
    left_s: float | None = None
    heaters: tuple[Heater, ...] = ()

    def __str__(self) -> str:
        done = f", {self.done_percent:.0f} %" if self.done_bytes else ""
        left = "" if self.left_s is None else f", {_duration(self.left_s)} left"
        return f"{self.says}{done}{left}"

    @property
    def is_alarm(self) -> bool:
        """Whether somebody should look at the printer."""
        return self.says.startswith(ALARM)

    @property
    def done_percent(self) -> float:
        """Bytes done, in % of the file."""
        return 100.0 * self.done_bytes / self.size_bytes if self.size_bytes else 0.0


_ENDED: dict[str, str] = {
    "finished": "finished",
    "failed": "failed",
    "cancelled": "was cancelled",
}


class Log(Protocol):
    """Where a watch writes what it sees."""

    def note(self, seen: str) -> None:
        """What belongs into the record."""

    def reached(self, filepos_bytes: int) -> None:
        """The byte position, every few seconds."""

    def layer(self, layer: int) -> None:
        """A layer that is printed now, once."""


def look(printer: Printer, name: str) -> RunningJob | Outcome | None:
    """What the server shows of a file: printing now, printed once, or neither.

    None means that nothing is known, not that nothing was printed: a server that
    died in the middle of a print keeps no record of it.

    Raises
    ------
    PrinterError
        It does not answer.
    """
    job = printer.job()
    if job.is_busy and job.file_name == name:
        return job
    if job.ended is not None and job.file_name == name:
        told = f"the server shows that it {_ENDED[job.ended]}: {job.state}. {job.error}"
        return Outcome(job.ended, told, job.print_time_s)
    stored = printer.file(name)
    if stored is None or stored.prints_done + stored.prints_failed == 0:
        return None
    counted = stored.prints_done + stored.prints_failed
    history = f"the server's history counts {counted} print{'s' * (counted > 1)} of the file"
    if stored.last_succeeded:
        return Outcome("finished", f"{history}; it succeeded", stored.last_print_time_s)
    why = stored.last_told or job.error
    return Outcome("failed", f"{history}; it failed or was cancelled. {why}")


class Watch:
    """One print, watched.

    Parameters
    ----------
    channel : what the server pushes, open since before the start.
    name, size_bytes : the file on the server.
    silence_limit_s : how long the print may stand still before it is told, and the
        server be out of reach before the print is given up as lost.
    tell : takes every `Progress`.
    """

    def __init__(
        self,
        printer: Printer,
        channel: Channel,
        log: Log,
        *,
        name: str,
        size_bytes: int,
        filepos_bytes: int | None,
        silence_limit_s: float,
        plan: Plan | None,
        tell: Callable[[Progress], None],
    ) -> None:
        self._printer, self._channel, self._log = printer, channel, log
        self._name, self._size = name, size_bytes
        self._limit_s, self._plan, self._tell = silence_limit_s, plan, tell
        self._filepos, self._layer = filepos_bytes or 0, 0
        self._error = self._aftermath = ""
        self._ended: Ended | None = None
        self._ended_at = 0.0
        self._sign: tuple[object, ...] = ()
        self._alarmed = False
        moment = time.monotonic()
        self._answered_at = self._moved_at = moment
        self._written_at = self._next_poll = self._next_heat = 0.0
        self._idle_since: float | None = None
        self._half_known: Outcome | None = None
        self._heaters: tuple[Heater, ...] = ()
        self._been_inside: set[str] = set()
        self._outside_since: dict[str, float] = {}

    def to_the_end(self) -> Outcome:
        """How the print ended."""
        outcome = self._next()
        while outcome is None:
            outcome = self._next()
        self._log.reached(self._filepos)
        return outcome

    def _next(self) -> Outcome | None:
        for pushed in self._channel.read(timeout_s=POLL_S / 2):
            if outcome := self._pushed(pushed):
                return outcome
        moment = time.monotonic()
        if self._ended is not None:
            return self._unhappy(self._ended) if moment >= self._ended_at + AFTERMATH_S else None
        if moment < self._next_poll:
            return None
        self._next_poll = moment + POLL_S
        return self._polled()

    def _pushed(self, pushed: Pushed) -> Outcome | None:
        match pushed:
            case Running(job):
                if job.is_busy and job.file_name == self._name:
                    self._runs(job)
            case Fault(told):
                if self._ended is None:
                    self._error = told
                else:  # what comes after that is only a consequence
                    self._aftermath = self._aftermath or told
                self._log.note(f"the server reports: {told}")
            case Said(told):
                self._log.note(f"{told}, {self._place()}")
            case Ended(file_name=name) if name != self._name:
                return None
            case Ended(state="finished", print_time_s=seconds):
                self._filepos = self._size
                return Outcome("finished", "the server reported the end", seconds)
            case Ended() if self._ended is None:
                self._ended, self._ended_at = pushed, time.monotonic()
        return None

    def _unhappy(self, ended: Ended) -> Outcome:
        """The end of a print that did not succeed, with what was told of it right after.

        A board that starts anew is reported as a cancelled print before it is reported.
        """
        if ended.state == "cancelled" and not self._aftermath:
            return Outcome("cancelled", f"cancelled at the printer, {self._place()}")
        why = ended.told or self._aftermath or self._error or "the printer disconnected"
        return Outcome("failed", f"the server reported a failure, {self._place()}: {why}")

    def _polled(self) -> Outcome | None:
        moment = time.monotonic()
        try:
            seen = look(self._printer, self._name)
        except PrinterError as error:
            if moment - self._answered_at <= self._limit_s:
                return None
            return Outcome("lost", f"lost contact, {self._place()}: {error.found}")
        self._answered_at = moment
        if isinstance(seen, RunningJob):
            self._idle_since = None
            self._feel(seen, moment)
            self._runs(seen)
            return None
        if isinstance(seen, Outcome):
            if seen.state == "finished":
                self._filepos = self._size
                return seen
            # the push channel knows why; it may be a moment behind
            if self._half_known is not None:
                return seen
            self._half_known = seen
            return None
        if self._idle_since is None:
            self._idle_since = moment
        if moment - self._idle_since < SETTLE_S:
            return None
        if self._error:
            return Outcome("failed", f"the printer stopped, {self._place()}: {self._error}")
        return Outcome(
            "lost", f"the server no longer knows of the print, {self._place()}: it was restarted"
        )

    def _runs(self, job: RunningJob) -> None:
        moment = time.monotonic()
        # a clock that runs on is no movement; a heater that warms up is.  A server that tells
        # no position tells whole percents, which may stand for minutes: its estimate moves.
        coarse = job.done_share, job.remaining_s
        place = (job.filepos_bytes, None) if job.filepos_bytes is not None else coarse
        standing = place == self._sign[1:3] and moment - self._moved_at > 2 * POLL_S
        moved = (job.state, *place, self._warming() if standing else ())
        if moved[:3] != self._sign[:3] or (standing and moved != self._sign):
            if self._alarmed:
                self._log.note(f"the print moves again, {self._place()}")
                self._alarmed = False
            if moved[:3] != self._sign[:3]:
                self._arrive(job)
                self._tell_of(job, f"{job.state}, {self._place()}")
            self._moved_at, self._sign = moment, moved
        elif self._is_silent(job, moment) and not self._alarmed:
            self._alarmed = True
            self._alarm(
                job, f"no movement for {self._limit_s:g} s, {self._place()}; look at the printer"
            )

    def _is_silent(self, job: RunningJob, moment: float) -> bool:
        # paused by a person it may stand as long as it likes
        return job.phase != "paused" and moment - self._moved_at > self._limit_s

    def _feel(self, job: RunningJob, moment: float) -> None:
        """Ask for the temperatures now and then, and tell when one leaves its window for long.

        Only a heater that had been inside can leave: before, it warms up.
        """
        if moment < self._next_heat:
            return
        self._next_heat = moment + HEAT_S
        try:
            self._heaters = self._printer.heaters()
        except PrinterError:
            return
        for heater in self._heaters if self._plan is not None else ():
            assert self._plan is not None
            wrong = self._plan.outside(heater)
            if not wrong:
                self._been_inside.add(heater.name)
                self._outside_since.pop(heater.name, None)
                continue
            since = self._outside_since.setdefault(heater.name, moment)
            if heater.name in self._been_inside and moment - since >= OUTSIDE_S:
                self._been_inside.discard(heater.name)  # told once, until it is back
                self._alarm(job, f"{wrong}, {self._place()}")

    def _warming(self) -> tuple[int, ...]:
        return tuple(round(each.actual_c) for each in self._heaters if each.is_off_target)

    def _arrive(self, job: RunningJob) -> None:
        position = job.filepos_bytes
        if position is None and job.done_share is not None:
            position = int(job.done_share * self._size)
        if position is None or position <= self._filepos:
            return  # a server that stops a print may tell 0 before it tells the stop
        self._filepos = position
        if self._plan is not None and job.filepos_bytes is not None:
            layer = self._plan.layer_at(position)
            if layer > self._layer:
                self._layer = layer
                self._log.layer(layer)
        if time.monotonic() - self._written_at > WRITE_S:
            self._written_at = time.monotonic()
            self._log.reached(position)

    def _alarm(self, job: RunningJob, told: str) -> None:
        self._log.note(f"{ALARM}{told}")
        self._tell_of(job, f"{ALARM}{told}")

    def _tell_of(self, job: RunningJob, says: str) -> None:
        left, layers = job.remaining_s, 0
        if self._plan is not None:
            left, layers = self._plan.left_s(self._filepos, job.print_time_s), len(self._plan)
        self._tell(
            Progress(
                state=job.state,
                done_bytes=self._filepos,
                size_bytes=self._size,
                says=says,
                layer=self._layer,
                layers=layers,
                left_s=left,
                heaters=self._heaters,
            )
        )

    def _place(self) -> str:
        at = f"at byte {self._filepos} of {self._size}"
        layer = self._plan.place(self._filepos) if self._plan is not None else ""
        return f"{at}, {layer}" if layer else at


def _duration(seconds: float) -> str:
    minutes, hours = round(seconds / 60), int(seconds // 3600)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if not hours else f"{hours} h {minutes - 60 * hours} min"
