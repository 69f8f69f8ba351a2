"""``labkit pacs …``: the PACS of the lab from a terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labkit.terminal import Json, document, line, say, steps, table

if TYPE_CHECKING:
    from labkit.pacs.archive import Archive
    from labkit.pacs.query import Query

app = typer.Typer(help="The PACS of the lab: list, echo, find, fetch, send.")


class By(StrEnum):
    """A way to a PACS."""

    DICOMWEB = "dicomweb"
    DIMSE = "dimse"


Name = Annotated[str, typer.Argument(metavar="NAME", help="The PACS, as pacs.yaml names it.")]
Asked = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]…", help="DICOM keywords; * and ? stand for any signs."),
]
QueryFile = Annotated[
    str,
    typer.Option(
        help="The query as YAML; - for stdin. What stands on the command line is seen by "
        "everyone on this machine."
    ),
]
Way = Annotated[By | None, typer.Option("--by", help="The way, where the PACS has two.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The PACS that the lab has registered in pacs.yaml.

    Example: labkit pacs list
    """
    from labkit.home import home_folder
    from labkit.pacs.registry import registered_pacs

    rows = []
    for name, pacs in sorted(registered_pacs().items()):
        if web := pacs.dicomweb:
            encrypted = web.url.startswith("https")
            rows.append(_pacs(name, "dicomweb", web.url, encrypted, pacs.ways[0]))
        if dimse := pacs.dimse:
            where = f"{dimse.ae_title} at {dimse.host}:{dimse.port}"
            rows.append(_pacs(name, "dimse", where, dimse.tls, pacs.ways[0]))
    if as_json:
        document({"pacs": rows})
    else:
        table(rows, ["name", "by", "where", "encrypted", "preferred"])
        if not rows:
            say(f"none is entered yet: enter one in {home_folder() / 'pacs.yaml'}")


@app.command()
def echo(name: Name, by: Way = None, as_json: Json = False) -> None:
    """Whether a PACS answers, and lets us in.

    Example: labkit pacs echo hospital
    """
    archive = _connected(name, by)
    archive.echo()
    if as_json:
        document({"pacs": name, "where": archive.where, "answers": True})
    else:
        line(f"{name}: {archive.where} answers")


@app.command()
def find(
    name: Name,
    asked: Asked = None,
    query_file: QueryFile = "",
    series: Annotated[bool, typer.Option("--series", help="Series instead of studies.")] = False,
    by: Way = None,
    as_json: Json = False,
) -> None:
    """Studies that fit, or their series.  It shows who the patients are.

    Example: labkit pacs find hospital AccessionNumber=A1 --series
    """
    from labkit.pacs.retrieval import find as find_studies
    from labkit.pacs.retrieval import find_series

    query, archive = _query(asked, query_file), _connected(name, by)
    studies = find_studies(archive, query)
    rows: list[dict[str, Any]]
    if series:
        rows = [asdict(one) for study in studies for one in find_series(archive, query, study)]
        columns = ["modality", "number", "description", "body_part", "instances"]
        columns += ["series_instance_uid"]
    else:
        rows = [asdict(study) for study in studies]
        columns = ["study_date", "patient_name", "patient_id", "birth_date", "accession_number"]
        columns += ["description", "modalities", "series", "instances"]
    if as_json:
        document({"pacs": name, "series" if series else "studies": rows})
    elif rows:
        table(rows, columns)
    else:
        say("nothing fits")


@app.command()
def fetch(
    name: Name,
    to: Annotated[Path, typer.Option(help="The new folder.")],
    asked: Asked = None,
    query_file: QueryFile = "",
    by: Way = None,
    as_json: Json = False,
) -> None:
    """One study, or some of its series, whole into a new folder.

    Example: labkit pacs fetch hospital AccessionNumber=A1 Modality=CT --to scans/A1
    """
    from labkit.pacs.retrieval import fetch as fetch_study

    query, archive = _query(asked, query_file), _connected(name, by)
    done = fetch_study(archive, query, to, steps("fetched"))
    if as_json:
        document({"folder": str(to), **asdict(done)})
    else:
        line(f"{to}: {done.instances} instances of {done.series} series")


@app.command()
def send(
    name: Name,
    places: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER…", exists=True)],
    deidentified: Annotated[
        bool, typer.Option("--deidentified", help="This PACS is for de-identified images.")
    ] = False,
    by: Way = None,
    as_json: Json = False,
) -> None:
    """Store DICOM files in a PACS, as they are.

    Example: labkit pacs send hospital results/part.dcm
    """
    from labkit.pacs.sending import send as send_shipment
    from labkit.pacs.sending import shipment_of

    archive = _connected(name, by)
    shipment = shipment_of(places)
    say(f"to {archive.where}: {shipment.words()}")
    changed = send_shipment(archive, shipment, deidentified=deidentified, progress=steps("sent"))
    stored = len(shipment.files)
    if as_json:
        document({"pacs": name, "instances": stored, "changed": changed, "kinds": shipment.kinds})
    else:
        line(f"{name}: {stored} instances stored")
    if changed:
        say(f"note: the PACS changed or left out something in {changed} of them, as it says")


def _pacs(name: str, by: str, where: str, encrypted: bool, preferred: str) -> dict[str, Any]:
    return {
        "name": name,
        "by": by,
        "where": where,
        "encrypted": encrypted,
        "preferred": by == preferred,
    }


def _connected(name: str, by: By | None) -> "Archive":
    from labkit.pacs.registry import connect

    return connect(name, None if by is None else by.value)


def _query(asked: Sequence[str] | None, query_file: str) -> "Query":
    from labkit.pacs.query import query_in, query_of

    if query_file and asked:
        raise typer.BadParameter("KEY=VALUE or --query-file, not both")
    return query_in(query_file) if query_file else query_of(asked or [])
