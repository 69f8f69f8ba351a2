"""A designed part: where it is hard to print, what a revision changed, its family's tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import trimesh

from labkit.views.picture import Picture
from labkit.views.surfaces import surface
from labkit.views.words import Words, joined, message, table
from labkit.volume import Array


class _Printability(Protocol):
    @property
    def too_thin_mm(self) -> Array: ...

    @property
    def places(self) -> Mapping[str, Array]: ...


class _Difference(Protocol):
    @property
    def of_vertices_mm(self) -> Array: ...


def printable(mesh: trimesh.Trimesh, found: _Printability) -> Picture:
    """The part (plate frame, mm), coloured where its walls fall short of their limit.

    Marked is the worst place of each check that does not pass.
    """
    title = "Where it is hard to print"
    thin = found.too_thin_mm > 0
    if not thin.any():
        return surface(mesh, frame="plate", title=title, marks=found.places)
    # with points of their own, else the colour of a thin letter runs over the plate under it
    shared, own = np.unique(mesh.faces[thin], return_inverse=True)
    faces = mesh.faces.copy()
    faces[thin] = len(mesh.vertices) + own.reshape(-1, 3)
    points = np.vstack([mesh.vertices, mesh.vertices[shared]])
    apart = trimesh.Trimesh(points, faces, process=False)
    short_mm = np.zeros(len(points))
    np.maximum.at(short_mm, faces[thin].ravel(), np.repeat(found.too_thin_mm[thin], 3))
    return surface(
        apart,
        frame="plate",
        title=title,
        distances_mm=short_mm,
        meaning="too thin",
        marks=found.places,
    )


def difference(mesh: trimesh.Trimesh, change: _Difference | None, path: Path) -> Picture | Words:
    """The part with what was added and taken away since the last revision.

    The picture is written to ``path``; for a first revision there is none.
    """
    if change is None:
        return message("This is the first revision: there is nothing to compare it with.")
    title = "Since the last revision"
    picture = surface(mesh, frame="plate", title=title, distances_mm=change.of_vertices_mm)
    picture.save(path)
    return picture


def details(found: Mapping[str, object]) -> Words:
    """Each table among these details, under its name."""
    shown = []
    for name, rows in found.items():
        if isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows):
            shown += [message(name.replace("_", " ")), table(rows, list(rows[0]))]
    return joined(shown or [message("This family has no tables of its own.")])
