"""The controlled notebooks: where they are, and the hash that names their content."""

import hashlib
import json
import os
from pathlib import Path

import nbformat

import labkit
from labkit.errors import ToolMissingError


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
    for cell in nbformat.read(path, as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        source = "" if "parameters" in tags else cell.source
        cells.append([cell.get("id", ""), cell.cell_type, tags, source])
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()
