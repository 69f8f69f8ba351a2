"""``labkit profiles``: the printers, materials and qualities of the lab."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labkit.terminal import Json, document, line, table

if TYPE_CHECKING:
    from labkit.equipment import Kind

app = typer.Typer(help="Printers, materials and qualities of the lab.")

_KINDS: dict[str, "Kind"] = {"printer": "printers", "material": "materials", "quality": "qualities"}


@app.callback(invoke_without_command=True)
def list_profiles(context: typer.Context, as_json: Json = False) -> None:
    """Printers, materials and qualities of the lab.

    Example: labkit profiles
    """
    if context.invoked_subcommand is not None:
        return
    from labkit import equipment
    from labkit.errors import EquipmentError

    rows: list[dict[str, object]] = []
    for kind, folder in _KINDS.items():
        for name, path in equipment.known(folder).items():
            kits = path.is_relative_to(equipment.KIT)
            row: dict[str, object] = {"kind": kind, "name": name, "of": "kit" if kits else "lab"}
            try:
                profile = equipment.profile(folder, name)
                row |= {"version": profile.version, "sha256": profile.sha256[:12]}
                row |= {"description": profile.description}
            except EquipmentError as error:
                row["description"] = error.found
            rows.append(row)
    if as_json:
        document({"profiles": rows})
    else:
        table(rows, ["kind", "name", "version", "of", "sha256", "description"])


@app.command()
def show(
    kind: Annotated[
        Literal["printer", "material", "quality"],
        typer.Argument(help="printer, material or quality."),
    ],
    name: Annotated[str, typer.Argument(help="Its name.")],
    as_json: Json = False,
) -> None:
    """All values of a profile, where they come from, and its hash.

    Example: labkit profiles show printer practice
    """
    from labkit import equipment

    profile = equipment.profile(_KINDS[kind], name)
    path = equipment.known(_KINDS[kind])[name]
    content = profile.model_dump(mode="json")
    if as_json:
        document({"kind": kind, "file": str(path), "sha256": profile.sha256, "profile": content})
        return
    table([{"value of": key, "is": value} for key, value in _plain(content)], ["value of", "is"])
    line(f"file    {path}")
    line(f"sha256  {profile.sha256}")


def _plain(content: dict[str, object], below: str = "") -> Iterator[tuple[str, object]]:
    """Every value of nested ones by its full name, but those that say nothing."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _plain(value, f"{below}{key}.")
        elif value not in (None, ""):
            yield below + key, value


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="PrusaSlicer's .ini file.")],
    printer: Annotated[str, typer.Option(help="The printer preset, or a name to give.")] = "",
    material: Annotated[str, typer.Option(help="The filament preset, or a name to give.")] = "",
    quality: Annotated[
        str, typer.Option("--print", help="The print preset, or a name to give.")
    ] = "",
    max_hotend_c: Annotated[
        float | None, typer.Option(help="What the printer's hotend bears, °C.")
    ] = None,
    max_bed_c: Annotated[
        float | None, typer.Option(help="What the printer's bed bears, °C.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Over one of the same name.")] = False,
    as_json: Json = False,
) -> None:
    """Profiles out of a configuration or a bundle of PrusaSlicer, into the lab's folder.

    Nothing is taken that runs a program or reaches a server; what is left out is listed.

    Example: labkit profiles import bundle.ini --printer "Creality Ender-3"
    """
    from labkit.slicing.prusa_presets.vendor import import_profiles, store

    found = import_profiles(
        path,
        printer=printer,
        material=material,
        quality=quality,
        max_hotend_c=max_hotend_c,
        max_bed_c=max_bed_c,
    )
    files = store(found, replace=replace)
    if as_json:
        names = {kind: profile.name for kind, profile in found.profiles.items()}
        about = {"profiles": names, "files": [str(file) for file in files]}
        about |= {"taken": found.taken, "not_taken": found.not_taken}
        document(about | {"refused": found.refused, "notes": found.notes})
        return
    for file in files:
        line(f"wrote {file}")
    line(f"taken: {len(found.taken)} settings")
    if found.refused:
        line(f"refused, they run or reach something: {', '.join(found.refused)}")
    if found.not_taken:
        line(f"not taken: {', '.join(found.not_taken)}")
    for note in found.notes:
        line(f"note: {note}")
