"""``labkit hubs …``: the hubs of the network, their states, keys and parcels."""

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labkit.terminal import Json, document, line, say, table

if TYPE_CHECKING:
    from labkit.printing.hubs.states import Step

app = typer.Typer(help="The hubs of the network: states, keys, parcels.")


class Pathway(StrEnum):
    """Under which rules a part is made; as `labkit.printing.hubs.suitability.Pathway`."""

    IN_HOUSE = "in-house device"
    CUSTOM_MADE = "custom-made device"
    MODULAR = "modular manufacture"
    NONE = "no device"


Name = Annotated[str, typer.Argument(metavar="NAME", help="The hub, as hubs.yaml names it.")]
By = Annotated[str, typer.Option(help="Who decided: a role or a code.")]
Reason = Annotated[str, typer.Option(help="Why.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The hubs in hubs.yaml, and whether each may print.

    Example: labkit hubs list
    """
    from labkit.home import home_folder
    from labkit.printing.hubs.registry import TABLE, known_hubs
    from labkit.printing.hubs.states import standings

    hubs = known_hubs()
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "here": hubs[name].here,
            "state": stands.state,
            "legal_entity": hubs[name].legal_entity,
            "site": hubs[name].site,
            "printers": [printer.name for printer in hubs[name].printers],
            "why_not": stands.why_not,
        }
        for name, stands in sorted(standings(hubs).items())
    ]
    if as_json:
        document({"hubs": rows})
        return
    shown = [
        row | {"printers": ", ".join(row["printers"]), "here": "yes" if row["here"] else ""}
        for row in rows
    ]
    table(shown, ["name", "here", "state", "legal_entity", "site", "printers"])
    for row in rows:
        if row["why_not"]:
            line(f"{row['name']} may not print: {row['why_not']}")
    if not rows:
        say(f"none is entered yet: enter one in {home_folder() / TABLE}")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """What is entered for a hub, the hash of the entry, and how the hub stands.

    Example: labkit hubs show north
    """
    import yaml

    from labkit.printing.hubs.registry import hub_named, known_hubs
    from labkit.printing.hubs.states import standings

    hubs = known_hubs()
    hub = hub_named(name, hubs)
    stands = standings(hubs)[name]
    entry = hub.model_dump(mode="json", exclude_none=True, by_alias=True)
    if as_json:
        document({"name": name, "sha256": hub.sha256, "entry": entry, "standing": asdict(stands)})
        return
    line(yaml.safe_dump({name: entry}, sort_keys=False, allow_unicode=True).rstrip())
    line(f"sha256  {hub.sha256}")
    line(f"state   {stands.state}{f': {stands.why_not}' if stands.why_not else ', may print'}")


@app.command()
def onboard(name: Name, by: By, reason: Reason, as_json: Json = False) -> None:
    """Let a hub print, as it is entered now.

    Example: labkit hubs onboard south --by qa-lead --reason "PQ report 12 accepted"
    """
    _change("onboard", name, by, reason, as_json)


@app.command()
def pause(name: Name, by: By, reason: Reason, as_json: Json = False) -> None:
    """Send nothing to a hub until it is resumed.

    Example: labkit hubs pause south --by qa-lead --reason "water in the room"
    """
    _change("pause", name, by, reason, as_json)


@app.command()
def resume(name: Name, by: By, reason: Reason, as_json: Json = False) -> None:
    """Let a paused hub print again.

    Example: labkit hubs resume south --by qa-lead --reason "room is dry, artefact measured"
    """
    _change("resume", name, by, reason, as_json)


@app.command()
def cease(name: Name, by: By, reason: Reason, as_json: Json = False) -> None:
    """End a hub for good; its name is not used again.

    Example: labkit hubs cease south --by qa-lead --reason "the site closes"
    """
    _change("cease", name, by, reason, as_json)


@app.command()
def history(name: Name, as_json: Json = False) -> None:
    """Every change of a hub's state: when, by whom, why, and the hash of its entry then.

    Example: labkit hubs history south
    """
    from labkit.printing.hubs.registry import hub_named, known_hubs
    from labkit.printing.hubs.states import history as history_of

    changes = history_of(name)
    if not changes:
        hub_named(name, known_hubs())
    rows = [asdict(change) for change in changes]
    if as_json:
        document({"hub": name, "changes": rows})
        return
    shown = [row | {"entry_sha256": row["entry_sha256"][:12]} for row in rows]
    table(shown, ["at", "by", "from_state", "to_state", "reason", "entry_sha256"])
    if not rows:
        say("a candidate: it was never onboarded")


@app.command()
def keys(as_json: Json = False) -> None:
    """This hub's own keys, made on first use; prints what other hubs enter for it.

    Example: labkit hubs keys
    """
    from labkit.printing.hubs.keys import own_keys

    made = own_keys(make=True)
    public = {"recipient": made.recipient, "signing_key": made.signing_key}
    if as_json:
        document(public)
    else:
        for field, value in public.items():
            line(f"{field}: {value}")
    say("have it read out by a person whom you know before another hub enters it")


@app.command()
def report(
    year: Annotated[int, typer.Option(help="Default: this year.")] = 0, as_json: Json = False
) -> None:
    """A year of the network: states, changes, and this lab's jobs by hub.

    Example: labkit hubs report --year 2026
    """
    from labkit.printing.hubs.registry import known_hubs
    from labkit.printing.hubs.report import annual

    asked = year or datetime.now(UTC).year
    rows = annual(known_hubs(), asked)
    if as_json:
        document({"year": asked, "hubs": rows})
        return
    shown = [
        row
        | {"changes": ", ".join(row["changes"])}
        | {"jobs": ", ".join(f"{count} {state}" for state, count in row["jobs"].items())}
        for row in rows
    ]
    table(shown, ["hub", "state", "changes", "jobs"])


@app.command()
def seal(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The case folder.")],
    to: Annotated[str, typer.Option(help="The hub that may open it.")],
    out: Annotated[Path, typer.Option(help="The folder that the parcel goes to.")],
    attempt: Annotated[int, typer.Option(min=1, help="Raise it to print again.")] = 1,
    approved_by: Annotated[str, typer.Option(help="Who approved the G-code.")] = "",
    approved_sha256: Annotated[str, typer.Option(help="The SHA-256 that was approved.")] = "",
    procedure: Annotated[str, typer.Option(help="The printer must be qualified for it.")] = "",
    pathway: Annotated[Pathway, typer.Option(help="Under which rules it is made.")] = (
        Pathway.IN_HOUSE
    ),
    consent: Annotated[
        str, typer.Option(help="Who allowed another legal entity to print it, and when.")
    ] = "",
    as_json: Json = False,
) -> None:
    """The frozen G-code of a case, signed, and encrypted for one other hub.

    Example: labkit hubs seal cases/C-0001 --to south --out outbox
    """
    from labkit.case import Case
    from labkit.printing.hubs.sending import seal_case

    sealed = seal_case(
        Case(case),
        to,
        out,
        attempt=attempt,
        approved_by=approved_by,
        approved_sha256=approved_sha256,
        procedure=procedure,
        pathway=pathway.value,
        consent=consent,
    )
    if as_json:
        document({"parcel": str(sealed), "to": to})
    else:
        line(f"{sealed}: only {to} can open it")


@app.command("open")
def open_(
    parcel: Annotated[Path, typer.Argument(metavar="PARCEL", help="The file.")],
    to: Annotated[Path, typer.Option(help="The new folder.")],
    as_json: Json = False,
) -> None:
    """What another hub sent, once everything in it was checked.

    Example: labkit hubs open inbox/C-0001-1a2b3c4d.parcel.age --to received/C-0001
    """
    from labkit.printing.hubs.sending import receive

    opened = receive(parcel, to)
    letter, sheet = opened.letter, opened.sheet
    if as_json:
        document({"folder": str(to), "letter": letter.model_dump(mode="json", by_alias=True)})
        return
    line(f"{to}: {letter.case}, attempt {letter.attempt}, from {letter.from_hub}")
    line(f"for the profile {sheet.printer}, of {sheet.material}; {letter.approval}")


def _change(step: "Step", name: str, by: str, reason: str, as_json: bool) -> None:
    from labkit.printing.hubs.registry import known_hubs
    from labkit.printing.hubs.states import change

    made = change(step, name, known_hubs(), by=by, reason=reason)
    if as_json:
        document(asdict(made))
    else:
        line(f"{name}: {made.from_state} → {made.to_state}, {made.at}, by {made.by}")
