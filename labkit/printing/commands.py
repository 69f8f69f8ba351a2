"""``labkit submit``, ``watch``, ``dispatch`` and ``practice-printer``."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labkit.printing.job_commands import report
from labkit.terminal import Json, document, line, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.printing.case_prints import CasePrint
    from labkit.printing.jobs import Job
    from labkit.printing.servers.practice import PracticePrinter
    from labkit.printing.watching import Progress

CasePath = Annotated[
    Path, typer.Argument(metavar="CASE", help="The case folder, or a parcel that was opened.")
]
Attempt = Annotated[
    int | None, typer.Option(help="Raise it to print once more; default: 1, or as the parcel says.")
]
ApprovedBy = Annotated[str, typer.Option(help="Who approved exactly this G-code.")]
ApprovedHash = Annotated[str, typer.Option(help="SHA-256 of the G-code that was approved.")]
Lot = Annotated[str, typer.Option(help="What the spool says.")]


def submit(
    case: CasePath,
    printer: Annotated[
        str, typer.Option(help="Its name; `any`: into the queue, for `labkit dispatch`.")
    ] = "practice",
    attempt: Attempt = None,
    approved_by: ApprovedBy = "",
    approved_sha256: ApprovedHash = "",
    material_lot: Lot = "",
    priority: Annotated[
        Literal["emergency", "urgent", "routine"], typer.Option(help="In the queue.")
    ] = "routine",
    practice: Annotated[
        bool, typer.Option("--practice", help="In the queue: for practice printers only.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a case's G-code to a printer and start it, once; or put it into the queue.

    Returns when the printer has accepted; `labkit watch` follows it.

    Example: labkit submit cases/C-0001 --printer bench-1 --approved-by "A. Smith"
    """
    from labkit.printing import desk
    from labkit.printing.case_prints import case_print

    wanted = case_print(case)
    attempt = attempt or (wanted.letter.attempt if wanted.letter else 1)
    word = {
        "approved_by": approved_by,
        "approved_sha256": approved_sha256 or (wanted.sheet.sha256 if approved_by else ""),
        "material_lot": material_lot,
    }
    if printer == desk.ANY:
        request = desk.enqueue(
            wanted, attempt=attempt, priority=priority, practice=practice, **word
        )
        if as_json:
            told = {"request": request.number, "case": request.case_code}
            document({**told, "status": request.status})
        else:
            line(f"request {request.number}: {request.status}")
        return
    record = desk.submit(wanted, printer, attempt=attempt, progress=_teller(), **word)
    report(record, as_json)
    if not as_json and record.state == "printing":
        line(f"next: labkit watch {case}")


def watch(
    case: CasePath,
    job: Annotated[str, typer.Option(help="Of several jobs of the case.")] = "",
    as_json: Json = False,
) -> None:
    """Follow a case's print to its end; Ctrl-C leaves the print as it is.

    Nothing is started. It can be left and taken up again as often as one likes.

    Example: labkit watch cases/C-0001
    """
    from labkit.printing.fleet import reached
    from labkit.printing.jobs import Register
    from labkit.printing.submission import follow_job

    code, wanted = _of_case(case)
    chosen = _job_of(Register().jobs(case_code=code), job, str(case))
    # sliced again since: the print that goes on is another file's
    plan = wanted.plan if wanted and chosen.sha256 == wanted.sheet.sha256 else None
    with reached(chosen.printer) as (printer, _):
        record = follow_job(chosen.job_id, printer, plan=plan, progress=_teller())
    report(record, as_json)
    raise typer.Exit(0 if record.state == "finished" else 1)


def _of_case(folder: Path) -> "tuple[str, CasePrint | None]":
    """The code of a case, and what it wants printed, as far as that can still be told."""
    from labkit.case import Case
    from labkit.errors import CaseError, EvidenceError
    from labkit.printing.case_prints import case_print

    try:
        wanted = case_print(folder)
    except (CaseError, EvidenceError):
        return Case(folder).order.case, None
    return wanted.code, wanted


def _job_of(known: "list[Job]", wanted: str, where: str) -> "Job":
    from labkit.errors import InputError
    from labkit.printing.jobs import OPEN

    named = [job for job in known if not wanted or job.job_id == wanted]
    going = [job for job in named if job.state in OPEN] or named
    if len(going) == 1:
        return going[0]
    listed = ", ".join(f"{job.job_id} ({job.printer}, {job.state})" for job in named)
    raise InputError(
        f"{len(going)} jobs could be meant: {listed}" if named else "no job of this case",
        expected="one job",
        where=where,
        fix="name it: --job" if named else "start one: `labkit submit`, or `labkit run`",
    )


def _teller() -> "Callable[[Progress], None]":
    """Says each change of state and each alarm, and how far it is at most once a second."""
    state, at = "", 0.0

    def tell(progress: "Progress") -> None:
        nonlocal state, at
        moment = time.monotonic()
        if progress.state != state or progress.is_alarm or moment - at > 1:
            state, at = progress.state, moment
            say(str(progress))

    return tell


def dispatch(
    stay: Annotated[bool, typer.Option("--stay", help="Go on when the queue is empty.")] = False,
    as_json: Json = False,
) -> None:
    """Work through the queue: each free printer gets what is next for it, and only once.

    Ctrl-C leaves the prints as they are; the next `labkit dispatch` takes them up.

    Example: labkit dispatch --stay
    """
    from labkit.printing.desk import lab_dispatcher, only_dispatcher
    from labkit.printing.queue import Queue

    with only_dispatcher():
        dispatcher = lab_dispatcher(say)
        try:
            dispatcher.run(until_empty=not stay)
        except KeyboardInterrupt:
            dispatcher.stop()
            raise
    left = Queue().requests("waiting", "taken", "held")
    if as_json:
        document({"left": [{"request": one.number, "status": one.status} for one in left]})
    for one in left if not as_json else []:
        line(f"request {one.number} of {one.case_code}: {one.status}. {one.told}")
    raise typer.Exit(1 if left else 0)


def practice_printer(
    count: Annotated[int, typer.Option(min=1, max=20, help="How many.")] = 1,
    stop: Annotated[
        bool, typer.Option("--stop", help="End those that a killed run left behind.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Practice OctoPrints until interrupted (Ctrl-C); prints their addresses and key files.

    Example: labkit practice-printer --count 3
    """
    from labkit.printing.fleet import practice_names
    from labkit.printing.servers.practice import PracticePrinter, practice_number

    if stop:
        running = practice_names()
        for name in running:
            PracticePrinter(number=practice_number(name) or 1).stop()
        if as_json:
            document({"stopped": bool(running)})
        else:
            line("stopped" if running else "none was running")
        raise typer.Exit(0)
    fleet = [PracticePrinter(number=number) for number in range(1, count + 1)]
    try:
        with ThreadPoolExecutor(count) as threads:
            rows = list(threads.map(_started, fleet))
        if as_json:
            document(rows[0] if count == 1 else {"printers": rows})
        else:
            for row in rows:
                line(f"{row['printer']}\naddress   {row['address']}\nkey file  {row['key_file']}")
        sys.stdout.flush()
        say("runs until you press Ctrl-C" if count == 1 else "they run until you press Ctrl-C")
        while any(practice.attach() is not None for practice in fleet):
            time.sleep(5)
    except KeyboardInterrupt:
        say("stopped")
    finally:
        for practice in fleet:
            practice.stop()


def _started(practice: "PracticePrinter") -> dict[str, str]:
    address = practice.start().url
    return {
        "printer": practice.name,
        "address": address,
        "key_file": str(practice.key_file),
    }
