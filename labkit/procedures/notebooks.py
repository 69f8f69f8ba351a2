"""The controlled notebooks: how stages are named, where they are, and the hash of their content."""

import difflib
import hashlib
import json
import os
from pathlib import Path

import labkit
from labkit.case import STAGES
from labkit.errors import InputError, ToolMissingError


def shipped(folder: str) -> Path:
    """``notebooks`` or ``sample_data`` as shipped: beside the package, or inside a wheel.

    Raises
    ------
    ToolMissingError
        The installation lacks it.
    """
    chosen = os.environ.get(f"LABKIT_{folder.upper()}")
    package = Path(labkit.__file__).parent
    for place in (Path(chosen) if chosen else None, package.parent / folder, package / folder):
        if place and place.is_dir():
            return place
    raise ToolMissingError(
        f"no folder {folder}",
        expected="it beside the package, as in a clone of the project",
        where=str(package.parent),
        fix=f"install from a clone, or set LABKIT_{folder.upper()} to the folder",
    )


def stage_named(words: str) -> str:
    """The stage that is meant by ``02_segmentation``, ``segmentation`` or ``02``.

    Raises
    ------
    InputError
        None is.
    """
    for stage in STAGES:
        number, _, name = stage.partition("_")
        if words in (stage, name, number):
            return stage
    nearest = difflib.get_close_matches(words, STAGES, n=1, cutoff=0.0)[0]
    raise InputError(
        f"no stage {words!r}",
        expected="one of " + ", ".join(STAGES),
        where="the command line",
        fix=f"the nearest name is {nearest}",
    )


def notebook_of(stage: str) -> Path:
    """The controlled notebook of a stage."""
    return shipped("notebooks") / f"{stage}.ipynb"


def source_hash(path: Path) -> str:
    """SHA-256 of what a notebook says and does: cell ids, kinds, tags and sources.

    Outputs, counts and editor settings do not count, nor does the parameters cell,
    whose values every record holds: setting a value by hand, opening and saving do
    not make another procedure of a notebook.
    """
    cells = []
    # plain JSON: nbformat loads for longer than all the rest of `labkit status` takes
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        tags = cell["metadata"].get("tags", [])
        source = "" if "parameters" in tags else "".join(cell["source"])
        cells.append([cell.get("id", ""), cell["cell_type"], tags, source])
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()
