"""One part, printed at most once, however often it is asked for.

Upload without overwriting, compare, select, start, watch.  Before each step the
register says what is about to happen, so that after any crash, of this program or
of the server, the next call knows what is certain and what is not.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import filelock

from labkit.errors import ApprovalError, InputError, PrinterError
from labkit.files import storage_errors
from labkit.home import home_folder
from labkit.printing.jobs import BEFORE_START, ENDED, OPEN, Job, Register, State, planned_job
from labkit.printing.people import check_right
from labkit.printing.plan import Plan
from labkit.printing.record import FIRMWARE, JobRecord, record_of
from labkit.printing.servers.kind import Channel, Printer
from labkit.printing.servers.messages import RunningJob, StoredFile
from labkit.printing.servers.web import was_answered
from labkit.printing.watching import Outcome, Progress, Watch, look

START_KNOWN_AFTER_S = 20.0
"""Whoever asked for a start has heard yes or no by then, or is dead."""

PRACTICE_APPROVAL = "practice print: no approval needed, nothing real is printed"


def print_once(
    gcode: Path,
    *,
    case_code: str,
    printer_name: str,
    printer: Printer,
    practice: bool,
    attempt: int = 1,
    approval: str = "",
    material_lot: str = "",
    plan: Plan | None = None,
    silence_limit_s: float = 60.0,
    follow: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> JobRecord:
    """The record of a print that was started at most once, followed to its end.

    The same file for the same case, printer and attempt is the same job: a second
    call, also of another process at the same time or after ``kill -9``, follows the
    print that goes on, or reports what became of it.  What is not known stays
    ``lost`` until the server shows more; it is never started again.

    Parameters
    ----------
    attempt : raise it to print again, after a person has looked.
    approval : who approved this file, in words; a practice print needs none.
    material_lot : what the spool says, for the record.
    plan : the layers and the material's window, where they are known.
    silence_limit_s : alarm when the print stands still for so long; ``lost`` when
        the server cannot be reached for so long, s.
    follow : whether to stay until the end; else the call returns when the printer has
        accepted the start, and `follow_job` goes on.
    progress : takes every `Progress`.

    Raises
    ------
    ApprovalError
        Nobody approved a print that is real, or this person may not start one.
    InputError
        There is no G-code in the file, or it is another one than was planned, or another
        printer has this attempt already.
    PrinterError
        The server is not there, refuses the key, holds another file of this name,
        or the printer is offline or busy: nothing was started.
    StorageError
        The register cannot be written: nothing was started.
    """
    if not gcode.is_file() or gcode.stat().st_size == 0:
        raise InputError(
            f"no G-code in {gcode.name}",
            expected="the file that stage 04_slicing made",
            where=str(gcode.parent),
            fix="run stage 04_slicing first",
        )
    if not practice and not approval:
        raise ApprovalError(
            "no approval of this G-code",
            expected="the name of a person who approved exactly this file",
            where=printer_name,
            fix="have it approved: see stage 05_printing",
        )
    register = Register()
    wanted = planned_job(
        gcode, case_code=case_code, printer_name=printer_name, attempt=attempt, practice=practice
    )
    job = register.plan(wanted)
    submission = _Submission(
        register, job, printer, plan, silence_limit_s, progress or (lambda _: None)
    )
    if job.state in BEFORE_START and job.sha256 != wanted.sha256:
        raise InputError(
            f"{gcode.name} was made again since job {job.job_id} was planned",
            expected=f"the file with the SHA-256 {job.sha256}",
            where=str(gcode),
            fix="raise the attempt number to print this one",
        )
    if job.state in BEFORE_START and not practice:
        register.note(job.job_id, f"asked for by {check_right('start')}")
    if job.state not in ENDED:
        if job.state == "planned" and material_lot:
            register.note(job.job_id, f"material lot {material_lot}")
        submission.approve(approval or PRACTICE_APPROVAL)
        submission.run(gcode, follow=follow)
    return record_of(register.read(job.job_id), register, started_here=submission.started)


def follow_job(
    job_id: str,
    printer: Printer,
    *,
    plan: Plan | None = None,
    silence_limit_s: float = 60.0,
    progress: Callable[[Progress], None] | None = None,
) -> JobRecord:
    """The record of a job that was started before, followed to its end; nothing is started.

    Raises
    ------
    InputError
        There is no such job.
    PrinterError
        The server is not there or refuses the key.
    """
    register = Register()
    job = register.read(job_id)
    if job.state in OPEN:
        tell = progress or (lambda _: None)
        _Submission(register, job, printer, plan, silence_limit_s, tell).run(None, follow=True)
    return record_of(register.read(job_id), register)


class _Submission:
    def __init__(
        self,
        register: Register,
        job: Job,
        printer: Printer,
        plan: Plan | None,
        silence_limit_s: float,
        tell: Callable[[Progress], None],
    ) -> None:
        self._register, self._printer, self._plan = register, printer, plan
        self._id, self._name, self._size = job.job_id, job.file_name, job.file_size_bytes
        self._limit_s, self._tell = silence_limit_s, tell
        self.started = False

    def approve(self, approval: str) -> None:
        self._advance("approved", approval, only_from=("planned",))

    def run(self, gcode: Path | None, *, follow: bool) -> None:
        """Bring the file to the printer and start it, where one is given; then follow it."""
        try:
            who = self._printer.who()
            if gcode is not None and self._job().state in BEFORE_START:
                if who.note:
                    self.note(who.note)
                self._store(gcode)
                self._compare(who.version)
            with self._printer.channel() as channel:
                with self._alone():
                    ready = gcode is not None and self._job().state in BEFORE_START
                    if ready and not self._found_there():
                        self._start()
                if follow or self._job().state == "starting":
                    self._follow(channel, to_the_end=follow)
        except KeyboardInterrupt:
            told = "watching was interrupted; the job stays as it is, run again to follow it"
            self._register.note(self._id, told)
            self._say(told)
            raise

    def note(self, seen: str) -> None:
        self._register.note(self._id, seen)

    def reached(self, filepos_bytes: int) -> None:
        self._register.reached(self._id, filepos_bytes)

    def layer(self, layer: int) -> None:
        self._register.layer(self._id, layer)

    def _alone(self) -> filelock.BaseFileLock:
        """A lock of the job on this machine; it ends with its process, however that ends.

        A second process that selected the file while the first one's start is on its way
        would take the print away from under it.
        """
        folder = home_folder() / "starting"
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f"{self._id}.lock")

    def _job(self) -> Job:
        return self._register.read(self._id)

    def _say(self, says: str) -> None:
        job = self._job()
        self._tell(Progress(job.state, job.filepos_bytes or 0, self._size, says))

    def _advance(
        self, to: State, seen: str, *, only_from: tuple[State, ...], **known: object
    ) -> bool:
        done = self._register.advance(self._id, to, seen, only_from=only_from, **known)
        if done:
            self._say(seen)
        return done

    def _store(self, gcode: Path) -> None:
        def sent(done: int, size: int) -> None:
            self._tell(Progress("approved", done, size, f"{done} of {size} bytes sent"))

        new = self._printer.upload(gcode, self._name, sent)
        seen = "the file was uploaded" if new else "a file of this name was there already"
        self._advance("uploaded", seen, only_from=("approved",))

    def _compare(self, version: str) -> None:
        job, stored = self._job(), self._printer.file(self._name)
        found = _difference(job, stored)
        if stored is not None and not found:
            by = "".join(
                f" and {name}"
                for name, told in (("SHA-1", stored.sha1), ("SHA-256", stored.sha256))
                if told
            )
            seen = f"the file on the server is ours, by size{by}"
            before: tuple[State, ...] = ("approved", "uploaded")
            self._advance("verified", seen, only_from=before, server_version=version)
            return
        raise PrinterError(
            f"the server holds {found} file {self._name}",
            expected=f"{job.file_size_bytes} bytes with the SHA-256 {job.sha256}",
            where=self._printer.url,
            fix="find out who put it there; raise the attempt number to print under another name",
        )

    def _found_there(self) -> bool:
        """Whether the server printed the file although this register never started it."""
        seen = look(self._printer, self._name)
        if seen is None:
            return False
        told = "the server had the print already; this register did not start it"
        self._advance("printing", told, only_from=BEFORE_START)
        return True

    def _start(self) -> None:
        try:
            now = self._printer.job()
            if not now.is_ready:
                raise PrinterError(
                    f"the printer is not ready: {now.state}",
                    expected="a printer that is connected and idle",
                    where=self._printer.url,
                    fix="connect it, or wait for its other print to end; then run again",
                )
            self._keep_firmware_settings()
            self._printer.select(self._name)
        except PrinterError:
            if self._job().state in BEFORE_START:
                raise
            return  # another process was quicker: its print makes the printer busy
        if not self._advance("starting", "the start is being asked for", only_from=("verified",)):
            return
        try:
            self._printer.start(self._name)
        except PrinterError as error:
            if was_answered(error):
                told = f"the printer refused to start: {error.found}"
                self._advance("failed", told, only_from=("starting",))
            else:
                self._register.note(self._id, f"no answer to the start: {error.found}")
            return
        self.started = True
        self._advance("printing", "the printer accepted the start", only_from=OPEN)

    def _keep_firmware_settings(self) -> None:
        if "tells firmware settings" not in self._printer.abilities:
            return
        if told := self._printer.firmware_settings():
            self._register.keep(self._id, FIRMWARE, told)

    def _follow(self, channel: Channel, *, to_the_end: bool) -> None:
        if self._job().state == "starting":
            self._clear_up()
        if self._job().state == "lost":
            self._take_up(look(self._printer, self._name), "lost")
        job = self._job()
        if job.state != "printing" or not to_the_end:
            return
        watch = Watch(
            *(self._printer, channel, self),
            name=self._name,
            size_bytes=self._size,
            filepos_bytes=job.filepos_bytes,
            silence_limit_s=self._limit_s,
            plan=self._plan,
            tell=self._tell,
        )
        self._end(watch.to_the_end())

    def _clear_up(self) -> None:
        """Find out what became of a start whose answer nobody wrote down."""
        asked = next(line.at for line in self._job().history if line.state == "starting")
        known_at = datetime.fromisoformat(asked).timestamp() + START_KNOWN_AFTER_S
        while self._job().state == "starting":
            late = datetime.now(UTC).timestamp() > known_at
            try:
                self._take_up(look(self._printer, self._name), "starting")
                told = "the server shows neither a print of the file nor a record of one"
            except PrinterError as error:
                told = f"the server cannot be asked: {error.found}"
            if late:
                told = f"whether the print was started is not known: {told}"
                self._advance("lost", told, only_from=("starting",))
            time.sleep(0.3)

    def _take_up(self, seen: RunningJob | Outcome | None, state: State) -> None:
        if isinstance(seen, RunningJob):
            self._advance("printing", "the server is printing the file", only_from=(state,))
        elif seen is not None:
            self._end(seen)

    def _end(self, outcome: Outcome) -> None:
        known = {} if outcome.print_time_s is None else {"print_time_s": outcome.print_time_s}
        self._advance(outcome.state, outcome.seen, only_from=OPEN, **known)


def _difference(job: Job, stored: StoredFile | None) -> str:
    """What is wrong with the file on the server; "" if it is ours."""
    if stored is None:
        return "no"
    if stored.size_bytes != job.file_size_bytes:
        return f"{stored.size_bytes} bytes of"
    if stored.sha1 not in (None, job.sha1) or stored.sha256 not in (None, job.sha256):
        return "other content, of the same size, of"
    return ""
