"""``labkit jobs`` and ``labkit queue``."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labkit.terminal import Json, document, line, table

if TYPE_CHECKING:
    from labkit.printing.jobs import Job
    from labkit.printing.record import JobRecord

JobId = Annotated[str, typer.Argument(metavar="JOB", help="As `labkit jobs` shows it.")]
Number = Annotated[int, typer.Argument(metavar="REQUEST", help="As `labkit queue` shows it.")]

jobs = typer.Typer(
    name="jobs",
    help="The lab's print jobs: what is certain of each, and what a person has to settle.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
queue = typer.Typer(
    name="queue",
    help="What waits to be printed, and why it waits.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


def report(record: "JobRecord", as_json: bool) -> None:
    """What is known of a job, and what is not."""
    if as_json:
        document(record.as_dict())
        return
    line(f"job {record.job} on {record.printer}: {record.state}. {record.summary}")
    for sentence in record.known:
        line(f"known: {sentence}")
    for sentence in record.not_known:
        line(f"not known: {sentence}")


@jobs.callback()
def jobs_list(
    context: typer.Context,
    case: Annotated[str, typer.Option(help="Only those of this case code.")] = "",
    as_json: Json = False,
) -> None:
    """The lab's print jobs: what is certain of each, and what a person has to settle.

    Example: labkit jobs --case C-0001
    """
    if context.invoked_subcommand is not None:
        return
    from labkit.printing.jobs import Register

    rows = [
        {
            "job": job.job_id,
            "case": job.case_code,
            "attempt": job.attempt,
            "printer": job.printer,
            "state": job.state,
            "bytes": f"{job.filepos_bytes or 0} of {job.file_size_bytes}",
        }
        for job in Register().jobs(case_code=case)
    ]
    if as_json:
        document({"jobs": rows})
    else:
        table(rows, ["job", "case", "attempt", "printer", "state", "bytes"])


@jobs.command("show")
def jobs_show(job: JobId, as_json: Json = False) -> None:
    """All that is known of a job, and what is not.

    Example: labkit jobs show 0a1b2c3d4e
    """
    from labkit.printing.jobs import Register
    from labkit.printing.record import record_of

    register = Register()
    record = record_of(register.read(job), register)
    report(record, as_json)
    if not as_json:
        table([vars(moment) for moment in record.history], ["at", "state", "seen"])


@jobs.command("settle")
def jobs_settle(
    job: JobId,
    state: Annotated[
        Literal["finished", "failed", "cancelled"], typer.Option("--as", help="What it was.")
    ],
    saw: Annotated[str, typer.Option(help="What you saw at the printer.")],
    as_json: Json = False,
) -> None:
    """Close a job whose end nobody could know, after a look at the printer.

    Example: labkit jobs settle 0a1b2c3d4e --as failed --saw "the bed is empty"
    """
    from labkit.printing.fleet import settle

    _closed(settle(job, state, saw), as_json)


@jobs.command("withdraw")
def jobs_withdraw(
    job: JobId, why: Annotated[str, typer.Option(help="The reason.")], as_json: Json = False
) -> None:
    """End a job that was not started yet.

    Example: labkit jobs withdraw 0a1b2c3d4e --why "designed anew"
    """
    from labkit.printing.fleet import withdraw

    _closed(withdraw(job, why), as_json)


@jobs.command("cancel")
def jobs_cancel(job: JobId, as_json: Json = False) -> None:
    """Cancel the print of a job at its printer.

    Example: labkit jobs cancel 0a1b2c3d4e
    """
    from labkit.printing.fleet import act
    from labkit.printing.jobs import Register

    done = act(Register().read(job).printer, "cancel")
    document({"done": done}) if as_json else line(done)


def _closed(job: "Job", as_json: bool) -> None:
    if as_json:
        document({"job": job.job_id, "state": job.state})
    else:
        line(f"job {job.job_id} on {job.printer}: {job.state}")


@queue.callback()
def queue_list(context: typer.Context, as_json: Json = False) -> None:
    """What waits to be printed, and why it waits.

    Example: labkit queue
    """
    if context.invoked_subcommand is not None:
        return
    from labkit.printing.queue import Queue

    rows = [
        {
            "request": one.number,
            "case": one.case_code,
            "attempt": one.attempt,
            "priority": one.need.priority,
            "status": one.status,
            "printer": one.printer,
            "asked": one.asked_at,
            "told": one.told,
        }
        for one in Queue().requests()
    ]
    if as_json:
        document({"requests": rows})
    else:
        columns = ["request", "case", "attempt", "priority", "status", "printer", "told"]
        table(rows, columns)


@queue.command("withdraw")
def queue_withdraw(
    request: Number, why: Annotated[str, typer.Option(help="The reason.")], as_json: Json = False
) -> None:
    """Take a request out of the queue, while it waits or is held.

    Example: labkit queue withdraw 7 --why "designed anew"
    """
    from labkit.printing.queue import Queue

    lane = Queue()
    gone = lane.withdraw(request, f"withdrawn: {why}")
    status = lane.one(request).status
    if as_json:
        document({"request": request, "status": status})
    else:
        line(f"request {request}: {status}")
    raise typer.Exit(0 if gone else 1)
