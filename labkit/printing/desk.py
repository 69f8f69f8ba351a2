"""What a person asks of the lab's printers: a case to print, the queue to be worked through.

The commands and the fleet board both come through here, so that neither can do what the
other refuses.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import filelock

from labkit.errors import ApprovalError, InputError
from labkit.files import storage_errors
from labkit.home import home_folder
from labkit.printing.approval import check_lot
from labkit.printing.case_prints import CasePrint
from labkit.printing.dispatcher import Dispatcher
from labkit.printing.fleet import practice_names, reached
from labkit.printing.hubs.dispatch import lab_policy
from labkit.printing.hubs.suitability import Priority
from labkit.printing.lab_places import lab_places, usable_printers
from labkit.printing.people import check_right
from labkit.printing.printers import connect, profile_of
from labkit.printing.queue import Queue, Request
from labkit.printing.record import JobRecord
from labkit.printing.servers.practice import PracticePrinter, practice_number
from labkit.printing.submission import print_once
from labkit.printing.watching import Progress

ANY = "any"
"""In place of a printer's name: the queue chooses."""


def enqueue(
    wanted: CasePrint,
    *,
    attempt: int = 1,
    approved_sha256: str = "",
    approved_by: str = "",
    material_lot: str = "",
    priority: Priority = "routine",
    practice: bool = False,
) -> Request:
    """The request that puts a case into the queue.

    Raises
    ------
    ApprovalError
        Nobody approved this G-code, or this person may not approve or not start prints.
    ParameterError
        The lot of the material is missing.
    InputError
        It was asked for before and has ended.
    """
    _check_approver(approved_by, practice=practice)
    word = wanted.approval(wanted.sheet.printer, approved_sha256, approved_by, practice=practice)
    check_lot(material_lot, required=wanted.sheet.lot_required, practice=practice)
    return Queue().add(
        case_code=wanted.code,
        attempt=attempt,
        practice=practice,
        gcode=wanted.gcode,
        gcode_sha256=wanted.sheet.sha256,
        approval=word,
        material_lot=material_lot,
        need=wanted.need(practice=practice, priority=priority),
        asked_by="practice" if practice else check_right("start"),
    )


def submit(
    wanted: CasePrint,
    printer: str,
    *,
    attempt: int = 1,
    approved_sha256: str = "",
    approved_by: str = "",
    material_lot: str = "",
    progress: Callable[[Progress], None] | None = None,
) -> JobRecord:
    """The record of a case's print as soon as that printer has accepted it; started once.

    Raises
    ------
    ApprovalError, ParameterError
        As `enqueue`.
    InputError, PrinterError, StorageError
        As `print_once`.
    """
    exercise = practice_number(printer) is not None
    _check_approver(approved_by, practice=exercise)
    word = wanted.approval(profile_of(printer), approved_sha256, approved_by, practice=exercise)
    check_lot(material_lot, required=wanted.sheet.lot_required, practice=exercise)
    if exercise:  # one that is started here goes on when its starter has ended
        PracticePrinter(number=practice_number(printer) or 1).start()
    with connect(printer) as (server, is_practice):
        return print_once(
            wanted.gcode,
            case_code=wanted.code,
            printer_name=printer,
            printer=server,
            practice=is_practice,
            attempt=attempt,
            approval=word,
            material_lot=material_lot,
            plan=wanted.plan,
            follow=False,
            progress=progress,
        )


def _check_approver(approved_by: str, *, practice: bool) -> None:
    """Whoever brings an approval here answers for it."""
    if approved_by and not practice:
        check_right("approve")


def lab_dispatcher(say: Callable[[str], None]) -> Dispatcher:
    """A dispatcher for the printers of this lab, and the practice ones that run.

    Who may not start prints gets one for the practice printers only: real requests go on
    waiting for somebody who may.
    """
    names = usable_printers(practice_names())
    try:
        check_right("start")
    except ApprovalError as error:
        say(f"{error.found}: only practice printers are given something to print")
        names = tuple(name for name in names if practice_number(name) is not None)
    return Dispatcher(
        connect=reached,
        printers=names,
        places=lab_places,
        policy=lab_policy(),
        say=say,
    )


@contextmanager
def only_dispatcher() -> Iterator[None]:
    """Hold the lab's queue, so that one dispatcher at a time works through it.

    The lock ends with its process, however that ends.

    Raises
    ------
    InputError
        Another one works through it.
    """
    place = home_folder() / "dispatch.lock"
    lock = filelock.FileLock(place, thread_local=False)
    with storage_errors(place):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise InputError(
                "the queue is being worked through already",
                expected="one dispatcher at a time",
                where="the lab's queue",
                fix="let it go on, or stop it where it was started: "
                "a terminal with `labkit dispatch`, or a fleet board",
            ) from None
    try:
        yield
    finally:
        lock.release()
