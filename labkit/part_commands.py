"""``labkit part``: parts that were drawn elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.terminal import Json, document, line, table

app = typer.Typer(help="Parts that were drawn elsewhere.", no_args_is_help=True)


@app.callback()
def _parts() -> None:
    """Parts that were drawn elsewhere."""


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="STL, OBJ, PLY, OFF, VTP, 3MF or STEP.")
    ],
    unit: Annotated[str, typer.Option(help="mm, cm, m or inch; 3MF and STEP hold theirs.")] = "",
    printer: Annotated[str, typer.Option(help="The printer to hold it against.")] = "practice",
    repair_mm: Annotated[
        float, typer.Option(help="How far a repair may move the surface.", min=0.0)
    ] = 0.1,
    as_json: Json = False,
) -> None:
    """Whether a part is closed and can be printed, and where not.

    Example: labkit part check bracket.stl --unit mm
    """
    from labkit import equipment
    from labkit.design.checking import examine

    found = examine(path, unit, equipment.printer(printer), repair_bound_mm=repair_mm)
    places = found.places
    rows = [{**each.model_dump(), "where_mm": places.get(each.name, "")} for each in found.checks]
    if as_json:
        about = found.imported.as_dict() | {"printer": printer, "checks": rows}
        document(about | {"orientation": found.proposal.reason})
    else:
        table(rows, ["name", "value", "unit", "limit", "verdict", "where_mm"])
        line(f"orientation: {found.proposal.reason}")
    worst = {each.verdict for each in found.checks}
    raise typer.Exit(1 if "fail" in worst else 0)
