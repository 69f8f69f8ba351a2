"""``labkit printers …``: the printers of the lab: enter one, see what they do."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from labkit.terminal import Json, document, line, say, table

if TYPE_CHECKING:
    from labkit.printing.printers import RegisteredPrinter

app = typer.Typer(
    name="printers",
    help="The printers of the lab: enter one, see what they do.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


class Kind(StrEnum):
    """A kind of printer's server."""

    OCTOPRINT = "octoprint"
    MOONRAKER = "moonraker"
    PRUSALINK = "prusalink"


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The printer, as printers.yaml names it.")
]


@app.callback()
def printers(context: typer.Context, as_json: Json = False) -> None:
    """The printers of the lab: enter one, see what they do.

    Example: labkit printers
    """
    if context.invoked_subcommand is None:
        list_(as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Every printer of the lab and what it does now; practice printers, where they run.

    Example: labkit printers list
    """
    from labkit.printing.fleet import fleet
    from labkit.printing.printers import registered_printers

    known = registered_printers()
    rows: list[dict[str, Any]] = []
    for seen in fleet():
        told, now = known.get(seen.name), seen.now
        share = now.done_share if now is not None and now.is_busy else None
        rows.append(
            {
                "printer": seen.name,
                "kind": told.kind if told is not None else "practice",
                "address": told.url if told is not None else "",
                "phase": now.phase if now is not None else "no answer",
                "file": (now.file_name or "") if now is not None and now.is_busy else "",
                "percent": None if share is None else round(100 * share),
                "user": seen.user,
                "version": seen.version,
                "trouble": seen.trouble,
            }
        )
    if as_json:
        document({"printers": rows})
        return
    shown = [row | {"percent": "" if row["percent"] is None else row["percent"]} for row in rows]
    table(shown, ["printer", "kind", "address", "phase", "file", "percent", "user", "version"])
    for row in rows:
        if row["trouble"]:
            line(f"{row['printer']} does not answer: {row['trouble']}")
    if not rows:
        say("none is entered yet: `labkit printers add`; `labkit practice-printer` needs no entry")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """What a printer does now, how warm it is, and what its kind of server can and cannot do.

    Example: labkit printers show bench-1
    """
    from labkit.printing.fleet import reached
    from labkit.printing.servers.kind import Ability

    with reached(name) as (printer, practice):
        who, now, heaters = printer.who(), printer.job(), printer.heaters()
        abilities = printer.abilities
        told: dict[str, Any] = {
            "printer": name,
            "practice": practice,
            "address": printer.url,
            "server": printer.product,
            "version": who.version,
            "user": who.user,
            "phase": now.phase,
            "state": now.state,
            "file": now.file_name or "",
            "error": now.error,
            "heaters": [
                {"name": each.name, "actual_c": each.actual_c, "target_c": each.target_c}
                for each in heaters
            ],
            "can": [ability for ability in get_args(Ability) if ability in abilities],
            "cannot": [ability for ability in get_args(Ability) if ability not in abilities],
        }
    if as_json:
        document(told)
        return
    for word in ("printer", "address", "server", "version", "user", "state", "file", "error"):
        if told[word]:
            line(f"{word:8} {told[word]}")
    for each in heaters:
        line(f"heater   {each.name}: {each.actual_c:.0f} °C, to be {each.target_c:.0f} °C")
    line(f"can      {', '.join(told['can']) or 'nothing but print'}")
    if told["cannot"]:
        line(f"cannot   {', '.join(told['cannot'])}")


@app.command()
def add(
    name: Name,
    url: Annotated[str, typer.Option(help="Its server, with the prefix if there is one.")],
    kind: Annotated[Kind, typer.Option(help="The kind of its server.")] = Kind.OCTOPRINT,
    key_file: Annotated[
        Path | None,
        typer.Option(help="A key that is there already; else a person grants one in the browser."),
    ] = None,
    user: Annotated[
        str, typer.Option(help="The server's user whose key it shall be; else whoever confirms.")
    ] = "",
    ca_file: Annotated[
        Path | None, typer.Option(help="Vouches for a certificate of the lab's own.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Its equipment profile; default: NAME.")] = "",
    old_server_accepted: Annotated[
        str, typer.Option(help="Who accepts an OctoPrint before 1.11.8, and why.")
    ] = "",
    snapshot_url: Annotated[
        str, typer.Option(help="The camera's stills, as seen from here, if OctoPrint is wrong.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Enter a printer: obtain its key, check what the key may, then write both or neither.

    Example: labkit printers add bench-1 --url https://bench-1.lab.example/octoprint
    """
    from labkit import equipment
    from labkit.errors import InputError, PrinterError
    from labkit.home import home_folder
    from labkit.printing.printers import RegisteredPrinter, check_new, client_of, enter
    from labkit.secret import secret_in

    if kind is not Kind.OCTOPRINT and old_server_accepted:
        raise typer.BadParameter("--old-server-accepted is for octoprint only")
    if kind is Kind.PRUSALINK and snapshot_url:
        raise typer.BadParameter("--snapshot-url is not for prusalink")
    if profile:
        equipment.printer(profile)
    told = RegisteredPrinter(
        url=url,
        key_file=Path("keys") / name,
        ca_file=_in_home(ca_file),
        kind=kind.value,
        profile=profile,
        old_server_accepted=old_server_accepted,
        snapshot_url=snapshot_url,
        **({"user": user} if kind is Kind.PRUSALINK and user else {}),
    )
    check_new(name, told)  # before a person is asked for anything
    if key_file is not None:
        key = secret_in(key_file, "the printer's key")
    elif kind is Kind.OCTOPRINT:
        key = _granted(told, user)
    else:
        raise InputError(
            f"no key for a server of the kind {kind.value}",
            expected="--key-file: such a server grants no keys by itself",
            where=name,
            fix="put the key that the server shows into a file of mode 0600, and name that file",
        )
    try:
        who = client_of(told, key).who()
    except PrinterError:
        if key_file is None:
            say("nothing was written; take the key away again: Application Keys on the server")
        raise
    enter(name, told, key)
    if as_json:
        entry = told.model_dump(mode="json", exclude_defaults=True)
        document({"printer": name, "entry": entry, "version": who.version, "user": who.user})
    else:
        line(f"{name}: entered, version {who.version}, as the user {who.user or 'of the key'}")
    say(f"its key lies in {home_folder() / told.key_file}")


def _in_home(file: Path | None) -> Path | None:
    """As the table names it: relative to the lab's folder where it lies in there."""
    from labkit.home import home_folder

    if file is None:
        return None
    file = file.absolute()
    return file.relative_to(home_folder()) if file.is_relative_to(home_folder()) else file


def _granted(told: "RegisteredPrinter", user: str) -> str:
    from labkit.home import home_folder
    from labkit.printing.servers.application_key import ApplicationKeys, granted_key

    ca_file = home_folder() / told.ca_file if told.ca_file is not None else None
    keys = ApplicationKeys(told.url, ca_file=ca_file)
    request = keys.ask(user)
    say(f"open {request.confirm_at}")
    say(
        f"log in there as {user or 'the user whom labkit shall be, never an administrator'}, "
        "and allow the request of labkit; Ctrl-C breaks off, nothing is written then"
    )
    minutes = 0

    def waiting(left_s: float) -> None:
        nonlocal minutes
        if (now := int(left_s // 60) + 1) != minutes:
            minutes = now
            say(f"waiting, {minutes} min left")

    return granted_key(keys, request, waiting)
