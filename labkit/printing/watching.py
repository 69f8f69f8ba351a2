"""A print followed to its end, by what the server pushes and by asking it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from labkit.errors import PrinterError
from labkit.printing.messages import RunningJob
from labkit.printing.octoprint import OctoPrint
from labkit.printing.push import Events

POLL_S = 1.0
WRITE_S = 2.0
"""How often the position goes into the register."""

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
    """Where a job stands: its state, bytes done of bytes in all, and a sentence."""

    state: str
    done_bytes: int
    size_bytes: int
    says: str

    def __str__(self) -> str:
        return f"{self.says} {self.done_percent:.0f} %"

    @property
    def done_percent(self) -> float:
        """Bytes done, in % of the file."""
        return 100.0 * self.done_bytes / self.size_bytes if self.size_bytes else 0.0


def look(printer: OctoPrint, name: str) -> RunningJob | Outcome | None:
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
    stored = printer.file(name)
    if stored is None or stored.prints_done + stored.prints_failed == 0:
        return None
    counted = stored.prints_done + stored.prints_failed
    history = f"the server's history counts {counted} print{'s' * (counted > 1)} of the file"
    if stored.last_succeeded:
        return Outcome("finished", f"{history}; it succeeded", stored.last_print_time_s)
    return Outcome("failed", f"{history}; it failed or was cancelled. {job.error}")


class Watch:
    """One print, watched.

    Parameters
    ----------
    events : the push channel, open since before the start.
    name, size_bytes : the file on the server.
    silence_limit_s : how long the print may stand still before it is told, and the
        server be out of reach before the print is given up as lost.
    tell : takes every `Progress`.
    note : takes what belongs into the record.
    reached : takes the byte position, every few seconds.
    """

    def __init__(
        self,
        printer: OctoPrint,
        events: Events,
        *,
        name: str,
        size_bytes: int,
        filepos_bytes: int | None,
        silence_limit_s: float,
        tell: Callable[[Progress], None],
        note: Callable[[str], None],
        reached: Callable[[int], None],
    ) -> None:
        self._printer, self._events = printer, events
        self._name, self._size = name, size_bytes
        self._limit_s = silence_limit_s
        self._tell, self._note, self._reached = tell, note, reached
        self._filepos = filepos_bytes or 0
        self._error = ""
        self._sign: tuple[object, ...] = ()
        self._alarmed = False
        moment = time.monotonic()
        self._answered_at = self._moved_at = moment
        self._written_at = self._next_poll = 0.0
        self._idle_since: float | None = None
        self._half_known: Outcome | None = None

    def to_the_end(self) -> Outcome:
        """How the print ended."""
        outcome = self._next()
        while outcome is None:
            outcome = self._next()
        self._reached(self._filepos)
        return outcome

    def _next(self) -> Outcome | None:
        for kind, payload in self._events.read(timeout_s=POLL_S / 2):
            if outcome := self._pushed(kind, payload):
                return outcome
        if time.monotonic() < self._next_poll:
            return None
        self._next_poll = time.monotonic() + POLL_S
        return self._polled()

    def _pushed(self, kind: str, payload: dict[str, Any]) -> Outcome | None:
        if kind == "current":
            job: RunningJob = payload["job"]
            if job.is_busy and job.file_name == self._name:
                self._runs(job)
        elif kind == "Error":
            self._error = str(payload.get("error") or "")
        elif payload.get("path") != self._name:
            return None
        elif kind == "PrintDone":
            self._filepos = self._size
            return Outcome("finished", "the server reported the end", payload.get("time"))
        elif kind == "PrintCancelled" or payload.get("reason") == "cancelled":
            return Outcome("cancelled", f"cancelled at the printer, {self._place()}")
        elif kind == "PrintFailed":
            told = payload.get("error") or self._error or "the printer disconnected"
            return Outcome("failed", f"the server reported a failure, {self._place()}: {told}")
        return None

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
        standing = job.filepos_bytes == self._filepos and moment - self._moved_at > 2 * POLL_S
        sign = (job.state, job.filepos_bytes, self._heating() if standing else ())
        if sign[:2] != self._sign[:2] or (standing and sign != self._sign):
            if self._alarmed:
                self._note(f"the print moves again, {self._place()}")
                self._alarmed = False
            if sign[:2] != self._sign[:2]:
                self._arrive(job.filepos_bytes)
                self._tell_of(job.state, f"{job.state}, {self._place()}")
            self._moved_at, self._sign = moment, sign
        elif self._is_silent(job, moment) and not self._alarmed:
            self._alarmed = True
            told = (
                f"ALARM: no movement for {self._limit_s:g} s, {self._place()}; look at the printer"
            )
            self._note(told)
            self._tell_of(job.state, told)

    def _is_silent(self, job: RunningJob, moment: float) -> bool:
        paused = job.state.startswith("Paus")  # by a person: it may stand as long as it likes
        return not paused and moment - self._moved_at > self._limit_s

    def _heating(self) -> tuple[int, ...]:
        try:
            return self._printer.heating()
        except PrinterError:
            return ()

    def _arrive(self, filepos_bytes: int | None) -> None:
        if filepos_bytes is None or filepos_bytes == self._filepos:
            return
        self._filepos = filepos_bytes
        if time.monotonic() - self._written_at > WRITE_S:
            self._written_at = time.monotonic()
            self._reached(filepos_bytes)

    def _tell_of(self, state: str, says: str) -> None:
        self._tell(Progress(state, self._filepos, self._size, says))

    def _place(self) -> str:
        return f"at byte {self._filepos} of {self._size}"
