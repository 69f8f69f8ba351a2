"""The ``labkit`` command: words in, words out; the work is done elsewhere.

Heavy imports happen inside the commands, so that ``labkit --help`` answers at once.
"""

import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit.errors import InputError, LabkitError, StorageError
from labkit.gcode_commands import app as gcode
from labkit.pacs.commands import app as pacs
from labkit.part_commands import app as part
from labkit.printing import commands as printing
from labkit.printing import job_commands
from labkit.printing.hub_commands import app as hubs
from labkit.printing.printer_commands import app as printers
from labkit.profile_commands import app as profiles
from labkit.terminal import Json, document, line, say, table

app = typer.Typer(
    name="labkit",
    help="Scan to signed record, for hospital 3D-printing labs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(gcode, name="gcode")
app.add_typer(hubs, name="hubs")
app.add_typer(pacs, name="pacs")
app.add_typer(part, name="part")
app.add_typer(printers, name="printers")
app.add_typer(profiles, name="profiles")
app.add_typer(job_commands.jobs, name="jobs")
app.add_typer(job_commands.queue, name="queue")

CasePath = Annotated[Path, typer.Argument(metavar="CASE", help="The case folder.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@app.callback()
def _options(debug: Debug = False) -> None:
    """Scan to signed record, for hospital 3D-printing labs."""


@app.command()
def demo(
    case: Annotated[
        Path | None, typer.Option(help="Where the case goes; default: a new folder in cases/.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The whole chain on the sample scan, with the practice printer.

    Example: labkit demo
    """
    from labkit.procedures.demo import run_demo

    report = run_demo(case, say=say)
    if as_json:
        document(report)
    else:
        _print_outcomes(report["stages"])
        line(f"case    {report['case']}")
        line(f"record  {report['record']}")
        line(f"page    {report['page']}")
        line(f"in-toto-verify: {report['in_toto_verify']}")
    raise typer.Exit(report["exit_code"])


@app.command()
def new(
    case: CasePath,
    order: Annotated[Path, typer.Option(help="The order, a YAML file.")],
    as_json: Json = False,
) -> None:
    """A case folder from an order.

    Example: labkit new cases/C-0001 --order order.yaml
    """
    from labkit.case import Case, read_order

    made = Case.create(case, read_order(order))
    if as_json:
        document({"case": str(made.root), "order": made.order.model_dump()})
    else:
        line(f"{made.root}: next, labkit run {case} --source FOLDER")


@app.command()
def run(
    case: CasePath,
    stages: Annotated[
        list[str] | None, typer.Argument(metavar="[STAGE]…", help="Only these stages.")
    ] = None,
    procedure: Annotated[str, typer.Option(help="The procedure to follow.")] = "practice",
    source: Annotated[
        str | None, typer.Option(help="The scan: a folder, zip or file, or pacs:NAME?KEY=VALUE.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="STAGE.NAME=VALUE", help="A decision; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Stages headless, in order, from the first that does not hold.

    Example: labkit run cases/C-0001 --source /data/ct -p segmentation.threshold_hu=250
    """
    from labkit.case import Case
    from labkit.parameters.written import read_decisions
    from labkit.procedures.notebooks import stage_named
    from labkit.procedures.run import exit_code, run_case
    from labkit.processes import asked_to_end_is_interrupted
    from labkit.traceability.procedure import procedure as procedure_named

    overrides = read_decisions(parameter or [], stage_named, Case(case).order.device)
    if source is not None:
        overrides.setdefault("01_scan", {})["source"] = source
    with asked_to_end_is_interrupted():
        outcomes = run_case(
            case,
            procedure_named(procedure),
            stages=[stage_named(stage) for stage in stages] if stages else None,
            overrides=overrides,
            say=say,
        )
    rows = [vars(outcome) for outcome in outcomes]
    if as_json:
        document({"case": str(Case(case).root), "stages": rows})
    else:
        _print_outcomes(rows)
    raise typer.Exit(exit_code(outcomes))


@app.command()
def series(
    path: Annotated[str, typer.Argument(help="A folder, zip or file, or pacs:NAME?KEY=VALUE.")],
    protocol: Annotated[str, typer.Option(help="The limits to judge by.")] = "bone_model",
    as_json: Json = False,
) -> None:
    """What a source holds: series, geometry, fitness, and which would be taken.

    Example: labkit series /data/ct --protocol soft_tissue_model
    """
    from labkit.pacs.sources import fetched
    from labkit.protocols import protocol_named
    from labkit.scan.discovery import discover
    from labkit.scan.fitness import row_of
    from labkit.scan.series import patients

    limits = protocol_named(protocol)
    with fetched(path) as source:
        found = discover(source)
        rows = [row_of(one, limits) for one in found.series]
    usable = [one for one in found.series if not one.refusal]
    people = len(patients(found.series))
    taken = usable[0].key if usable and people < 2 else None
    if as_json:
        about = {"protocol": limits.name, "protocol_sha256": limits.sha256, "series": rows}
        document(about | {"taken": taken, "other_files": found.other_files, "notes": found.notes})
    else:
        columns = ["key", "modality", "images", "matrix", "plane", "mm", "kernel", "verdict"]
        steps = [" × ".join(f"{mm:.4g}" for mm in one.spacing_mm or ()) for one in found.series]
        table([row | {"mm": mm} for row, mm in zip(rows, steps, strict=True)], columns)
        for row in rows:
            line(f"{row['key']}: {row['why']}")
        for note in found.notes:
            line(f"note: {note}")
        many = f"the thinnest slices of {len(usable)} usable series"
        best = f"{taken} would be taken: {many if len(usable) > 1 else 'the only usable series'}"
        none = "none can become a volume"
        if usable and not taken:
            none = "none is taken by itself: name one with `-p scan.series=KEY`"
        line(best if taken else none)
    accepted = taken is not None and rows[0]["verdict"] != "fail"
    raise typer.Exit(0 if accepted else 1)


@app.command()
def parameters(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="For example: design.")],
    device: Annotated[str, typer.Option(help="The family of part, for design.")] = (
        "anatomical model"
    ),
    as_json: Json = False,
) -> None:
    """What can be decided in a stage: defaults, units, ranges, and why they end there.

    Example: labkit parameters design --device "surgical guide"
    """
    from labkit.parameters import validated
    from labkit.parameters.written import listed
    from labkit.procedures.notebooks import stage_named

    name = stage_named(stage)
    if name == "03_design":
        validated(name, {"device": device})
    rows = listed(name, device)
    if as_json:
        document({"stage": name, "parameters": rows})
    else:
        table(rows, list(rows[0]))


@app.command()
def status(case: CasePath, as_json: Json = False) -> None:
    """What was done, what holds, and what is next.

    Example: labkit status cases/C-0001
    """
    from labkit.case import Case
    from labkit.procedures.holding import status as status_of

    opened = Case(case)
    rows = status_of(opened)
    if as_json:
        document({"case": opened.order.case, "stages": rows})
        return
    table(rows, ["stage", "state", "verdict", "finished", "operator"])
    for row in rows:
        failure = row.get("failure")
        if isinstance(failure, dict):
            line(f"{row['stage']} failed: {failure['found']} ({failure['at']})")
            line(f"  do next: {failure['fix']}")
    states = [str(row["state"]) for row in rows]
    following = next((state for state in states if state != "holds"), None)
    name = shlex.quote(str(case))
    if following is None:
        line("everything holds")
    elif "NOT AS SIGNED" in following:
        line(f"next: labkit verify {name}")
    elif not following.startswith("running"):
        source = " --source FOLDER" if states[0] == "to do" else ""
        line(f"next: labkit run {name}{source}")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="A case folder.")], as_json: Json = False
) -> None:
    """Whether a case is as it was signed, offline; or what was altered.

    Example: labkit verify cases/C-0001
    """
    from labkit.errors import CaseError
    from labkit.traceability.verification import verify as verify_case

    if not path.is_dir():
        raise CaseError(
            "no such folder",
            expected="a case folder",
            where=str(path),
            fix="check the path",
        )
    verification = verify_case(path)
    if as_json:
        document(verification.as_dict())
    else:
        for finding in verification.findings:
            line(finding.message)
        for note in verification.notes:
            line(f"note: {note}")
        word = "intact" if verification.intact else "NOT as it was signed"
        steps = len(verification.steps)
        line(f"{verification.case}: {word}, {steps} signed step{'' if steps == 1 else 's'}")
    raise typer.Exit(0 if verification.intact else 4)


@app.command()
def page(
    case: CasePath,
    to: Annotated[
        Path | None, typer.Option(help="Where it goes; default: evidence/case.html of the case.")
    ] = None,
    as_json: Json = False,
) -> None:
    """One HTML page of a case: order, verdicts, signed hashes, every notebook as it ran.

    It opens in any browser, without a server, and asks for nothing.

    Example: labkit page cases/C-0001 --to C-0001.html
    """
    from labkit.case import Case
    from labkit.views.case_page import write_case_page

    opened = Case(case)
    written = write_case_page(opened, to)
    if as_json:
        document({"case": opened.order.case, "page": str(written)})
    else:
        line(str(written))


app.command()(printing.submit)
app.command()(printing.watch)
app.command()(printing.dispatch)
app.command("practice-printer")(printing.practice_printer)


@app.command()
def doctor(
    install: Annotated[bool, typer.Option("--install", help="Install what needs no root.")] = False,
    as_json: Json = False,
) -> None:
    """What is installed, what is missing, and the command that gets it.

    Example: labkit doctor
    """
    from labkit import doctor as examination

    if install:
        examination.install_tools(say)
    rows = examination.report()
    if as_json:
        document({"tools": rows})
    else:
        table(rows, ["tool", "state", "version", "for", "fix"])
    raise typer.Exit(0 if all(row["state"] == "ok" for row in rows) else 3)


@app.command()
def lab(
    folder: Annotated[Path, typer.Option(help="The lab's folder of cases.")] = Path(),
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    port: Annotated[int, typer.Option(help="0: any free port.")] = 0,
    staff: Annotated[bool, typer.Option("--staff", help="The same without code.")] = False,
) -> None:
    """JupyterLab at the notebook 00_start_here; with --staff its pages without code.

    Example: labkit lab
    """
    from labkit.lab import open_lab
    from labkit.procedures.notebooks import notebook_of

    first = notebook_of("00_start_here")
    raise typer.Exit(open_lab(folder, first, browser=browser, port=port, staff=staff))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0 done and accepted, 1 done and not accepted, 2 bad input or usage, 3 a tool,
    printer or server failed, 4 evidence altered or missing, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_leave(words))


_UsageError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
"""The base of what Typer raises over words it does not understand; it has no public name."""

_INTERRUPTED = 130


def _leave(words: list[str]) -> int:
    try:
        done = app(words or ["--help"], standalone_mode=False)
        code = done if isinstance(done, int) else 0
    except LabkitError as error:
        if "--debug" in words:
            traceback.print_exc()
        _report(error, "--json" in words)
        return error.exit_code
    except _UsageError as error:
        usage = InputError(
            str(error),
            expected="a command as `labkit --help` shows it",
            where="labkit " + " ".join(words[:1]),
            fix="see `labkit --help`, and `labkit COMMAND --help`",
        )
        _report(usage, "--json" in words)
        return usage.exit_code
    except OSError as error:
        if "--debug" in words:
            traceback.print_exc()
        refused = StorageError(
            f"the system refused: {error.strerror or type(error).__name__}",
            expected="files and folders that this user may read and write",
            where=str(error.filename or ""),
            fix="check the permissions, or use another folder",
        )
        _report(refused, "--json" in words)
        return refused.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        say("interrupted; nothing half-written was kept, run the same command to go on")
    return code


def _report(error: LabkitError, as_json: bool) -> None:
    if as_json:
        document({"error": error.as_dict()})
    say(str(error))


def _print_outcomes(rows: list[dict[str, Any]]) -> None:
    shown = [{**row, "seconds": f"{row['seconds']:.1f}"} for row in rows]
    table(shown, ["stage", "folder", "verdict", "seconds", "why"])
