"""One scan segmented by many designers: how far their surfaces lie apart, and why.

A *designer* is a way to decide: a structure, a threshold, an operator.  All that are asked
for are tried, and every outer surface is measured from that of the first of its structure,
the reference, which is how the lab works today.  Cavities do not count: a part does not rest
on them, and those of one designer may have no counterpart with the next.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from labkit.errors import DesignError, InputError, SegmentationError
from labkit.files import sha256_of, write_whole
from labkit.parameters import Segmentation, validated
from labkit.segmentation.extraction import extract_surface
from labkit.segmentation.masks import segment
from labkit.surface import signed_distances
from labkit.volume import Array, Volume

AS_IT_IS = "as it is"
OPERATORS = {
    "smoothing": "smoothing_bound_mm",
    "half height": "half_height_bound_mm",
    "lightening": "decimation_bound_mm",
    "opening": "open_mm",
    "closing": "close_mm",
    "splitting": "split_neck_mm",
}
"""What a designer may do differently, and the parameter of 02_segmentation behind it."""

SHARED = ("self_intersection", "surface", "volume")
LIBRARIES = ("connected-components-3d", "manifold3d", "numpy", "pyvista", "scipy", "trimesh", "vtk")
"""Modules of the kit beside these here, and packages, that decide where a surface lies."""

STAGE = "02_segmentation"
_WHERE = "designer variability"


@dataclass(frozen=True)
class Designer:
    """One way to decide."""

    structure: str
    threshold_hu: int
    operator: str
    parameters: Segmentation


@dataclass(frozen=True)
class Outcome:
    """The surface of one designer, measured from the reference.

    Parameters
    ----------
    volume_mm3 : within the outer surface; 0 where there is none.
    signed_mm : (n,) float64, mm, one per vertex of the reference: how far outside of it the
        surface lies there, exactly; empty where there is none.
    refused : why there is no surface; empty where there is one.
    """

    designer: Designer
    volume_mm3: float
    signed_mm: Array
    refused: str


def designers(
    structures: str, thresholds_hu: str, operators: str, base: Segmentation
) -> list[Designer]:
    """Every combination, structure by structure; the first of each is the reference.

    Parameters
    ----------
    structures, thresholds_hu : with commas between them.
    operators : with semicolons between them; each ``as it is``, or some of `OPERATORS` with
        their mm, joined by ``+``: ``closing 1 + smoothing 0.2``.
    base : what every designer decides alike.

    Raises
    ------
    InputError
        A list is empty, or names something that is no number, operator or structure.
    """
    levels = [_number(word) for word in _listed(thresholds_hu, ",", "thresholds_hu")]
    changes = {words: _change(words) for words in _listed(operators, ";", "operators")}
    shared = base.model_dump()
    found = []
    for structure in _listed(structures, ",", "structures"):
        for words, change in changes.items():
            for level in levels:
                values = shared | {"structure": structure, "threshold_hu": level} | change
                parameters = validated(STAGE, values)
                assert isinstance(parameters, Segmentation)
                found.append(Designer(structure, level, words, parameters))
    return found


def _listed(text: str, mark: str, name: str) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in text.split(mark) if word.strip()))
    if not words:
        raise InputError(
            f"nothing in {name}",
            expected=f"one or more, with {mark!r} between them",
            where=_WHERE,
            fix=f"set {name} in the parameters cell",
        )
    return words


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise InputError(
            f"the threshold {word!r}",
            expected="whole numbers in HU",
            where=_WHERE,
            fix="correct thresholds_hu in the parameters cell",
        ) from error


def _change(words: str) -> dict[str, float]:
    if words == AS_IT_IS:
        return {}
    change = {}
    for part in words.split("+"):
        name, _, value_mm = part.strip().rpartition(" ")
        try:
            change[OPERATORS[name.strip()]] = float(value_mm)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"the operator {part.strip()!r}",
                expected=f"{AS_IT_IS!r}, or one of {', '.join(OPERATORS)}, and its mm",
                where=_WHERE,
                fix="correct operators in the parameters cell, as in 'closing 1'",
            ) from error
    return change


def surfaces_of(
    volume: Volume,
    asked: Sequence[Designer],
    folder: Path,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[list[Outcome], dict[str, trimesh.Trimesh]]:
    """What came of each designer, and the reference of each structure, mm, LPS.

    Each is kept in ``folder`` as soon as it is there, under the hash of all it depends on: scan,
    decisions, reference, and the code that makes and measures surfaces.  So a study that was
    interrupted goes on where it was, and nothing is taken from another state of the kit.

    Parameters
    ----------
    on_progress : called with how many are done, and how many there are.

    Raises
    ------
    SegmentationError
        A reference has no surface: there is nothing to compare with.
    """
    scan = hashlib.sha256(f"{volume.unit} {volume.voxels.shape}".encode())
    scan.update(volume.ijk_to_lps.tobytes())
    scan.update(np.ascontiguousarray(volume.voxels).data)
    depends = [scan.hexdigest(), _code()]
    outcomes: list[Outcome] = []
    first: dict[str, Designer] = {}
    references: dict[str, trimesh.Trimesh] = {}
    for number, designer in enumerate(asked):
        on_progress(number, len(asked))
        reference = references.get(designer.structure)
        compared = first.setdefault(designer.structure, designer)
        decided = [one.parameters.decided() for one in (designer, compared)]
        # one designer has two results: as the reference, with its triangles, and beside it
        named = json.dumps([*depends, decided, reference is None], sort_keys=True)
        path = folder / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.npz"
        kept = _read(path)
        if kept is None:
            kept = _made(volume, designer, reference)
            stream = io.BytesIO()
            np.savez_compressed(stream, **kept)
            write_whole(path, stream.getvalue())
        if reference is None:
            points, triangles = kept["points_lps_mm"], kept["triangles"]
            references[designer.structure] = trimesh.Trimesh(points, triangles, process=False)
        volume_mm3, refused = float(kept["volume_mm3"]), str(kept["refused"])
        outcomes.append(Outcome(designer, volume_mm3, kept["signed_mm"], refused))
    on_progress(len(asked), len(asked))
    return outcomes, references


def _code() -> list[str]:
    """What the surfaces depend on beside scan and decisions: hashes of modules, versions."""
    here = Path(__file__).parent
    modules = [*sorted(here.rglob("*.py")), *(here.with_name(f"{n}.py") for n in SHARED)]
    return [sha256_of(module) for module in modules] + [version(name) for name in LIBRARIES]


def _read(path: Path) -> dict[str, Any] | None:
    """What is kept of a designer; None where there is nothing whole."""
    try:
        with path.open("rb") as stream, np.load(stream) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):
        return None


def _outside(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The surface without its cavities, whose shells are oriented the other way."""
    shells = mesh.split(only_watertight=False)
    bodies = trimesh.util.concatenate([shell for shell in shells if shell.volume > 0])
    assert isinstance(bodies, trimesh.Trimesh)
    return bodies


def _made(volume: Volume, designer: Designer, reference: trimesh.Trimesh | None) -> dict[str, Any]:
    """One designer's surface, measured from the reference, as arrays."""
    try:
        mask = segment(volume, designer.parameters)
        mesh = _outside(extract_surface(volume, mask, designer.parameters).mesh)
    except (SegmentationError, DesignError) as error:
        if reference is None:
            raise
        return {"volume_mm3": 0.0, "signed_mm": np.empty(0), "refused": error.found}
    made = {"volume_mm3": mesh.volume, "refused": ""}
    if reference is None:
        shape = {"points_lps_mm": mesh.vertices, "triangles": mesh.faces}
        return made | shape | {"signed_mm": np.zeros(len(mesh.vertices))}
    return made | {"signed_mm": -signed_distances(reference.vertices, mesh)}
