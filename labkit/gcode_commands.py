"""``labkit gcode``: files for the printer, whoever sliced them."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.terminal import Json, document, line, table

app = typer.Typer(help="G-code, whoever sliced it.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="G-code as text.")]


@app.callback()
def _gcode() -> None:
    """G-code, whoever sliced it."""


@app.command()
def check(
    path: File,
    printer: Annotated[str, typer.Option(help="The printer to hold it against.")] = "practice",
    material: Annotated[str, typer.Option(help="The material to hold it against.")] = "PLA",
    part: Annotated[
        Path | None,
        typer.Option(help="STL that it was sliced from, mm: is it still that part?"),
    ] = None,
    infill_percent: Annotated[
        float | None, typer.Option(help="Infill asked for; else what the file states.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether a file may be printed, and with --part whether it is still that part.

    The part is looked for where its middle is: it must not have been turned.

    Example: labkit gcode check part.gcode --printer practice --material PLA --part part.stl
    """
    from labkit import equipment
    from labkit.slicing.gate import check_gcode

    limits, filament = equipment.printer(printer), equipment.material(material)
    findings = check_gcode(path, limits, filament)
    refused = any(finding.severity == "block" for finding in findings)
    about: dict[str, object] = {"file": path.name, "printer": printer, "material": material}
    if not as_json:
        table([vars(one) for one in findings], ["severity", "rule", "line", "message"])
    if part is not None:
        from labkit.slicing.fidelity import fidelity, placed_under
        from labkit.slicing.toolpath import read_toolpath
        from labkit.surface import read_stl

        toolpath, mesh = read_toolpath(path), read_stl(part)
        found = fidelity(
            toolpath,
            mesh,
            placed_under(toolpath, mesh),
            material=filament,
            infill_percent=infill_percent,
        )
        refused |= not found.faithful
        if not as_json:
            table([one.as_row() for one in found.deviations], _COLUMNS)
            for note in found.notes:
                line(f"note: {note}")
            line(
                f"volume {100 * found.volume_error:+.2f} %, outline within "
                f"{found.outline_mm:.2f} mm (95 %) in {len(found.z_mm)} layers"
            )
        about |= {"fidelity": found.as_dict()}
    if as_json:
        document(about | {"findings": [vars(one) for one in findings], "refused": refused})
    else:
        line("refused" if refused else "may be printed")
    raise typer.Exit(1 if refused else 0)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The file that is believed.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The file in question.")],
    as_json: Json = False,
) -> None:
    """Whether two files print the same, and where they do not.

    Example: labkit gcode compare signed.gcode received.gcode
    """
    from labkit.slicing.comparison import compare as compared
    from labkit.slicing.toolpath import read_toolpath

    found = compared(read_toolpath(a), read_toolpath(b))
    if as_json:
        rows = [one.as_row() for one in found.differences]
        about = {name: value for name, value in vars(found).items() if name != "differences"}
        document({"a": a.name, "b": b.name, **about, "differences": rows})
    else:
        if found.differences:
            table([one.as_row() for one in found.differences], _COLUMNS)
        line(
            {
                "identical": "identical: every move and every command is the same",
                "equal": "equal: the same print within the tolerance",
                "different": f"different, in {len(found.differences)} ways",
            }[found.verdict]
        )
    raise typer.Exit(1 if found.verdict == "different" else 0)


_COLUMNS = ["severity", "rule", "where", "found", "limit", "message"]
