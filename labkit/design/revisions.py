"""What a new revision of a part changed: measured against the one before, in mm."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh

from labkit.case import Case, read_result
from labkit.design.part import Part
from labkit.files import sha256_of
from labkit.surface import Distances, read_stl, sampled, signed_distances
from labkit.volume import Array


@dataclass(frozen=True)
class Earlier:
    """The part of an earlier revision: ``mesh`` mm, in the patient where it came from one."""

    folder: str
    sha256: str
    mesh: trimesh.Trimesh
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """How a part differs from an earlier one.

    Parameters
    ----------
    earlier : the part compared with.
    of_vertices_mm : (n,) float64: each vertex of the new part, signed distance from the
        old; positive where material was added.
    added, removed : distances of the new surface from the old, and of the old from the
        new (positive outside the new: material that went).
    volume_change_mm3 : new minus old.
    """

    earlier: Earlier
    of_vertices_mm: Array
    added: Distances
    removed: Distances
    volume_change_mm3: float

    @property
    def max_mm(self) -> float:
        """The largest distance, either way."""
        return max(self.added.max_mm, self.removed.max_mm)

    def as_dict(self, decided: dict[str, Any]) -> dict[str, Any]:
        """The difference as it stands in the record; ``decided`` are the present decisions."""
        return {
            "earlier": self.earlier.folder,
            "earlier_sha256": self.earlier.sha256,
            "decisions": decisions_changed(self.earlier, decided),
            "distances": self.rows(),
            "volume_change_mm3": round(self.volume_change_mm3, 3),
        }

    def rows(self) -> list[dict[str, Any]]:
        """The numbers as a table for the record."""
        return [
            {"from": name, **{key: round(value, 4) for key, value in vars(distances).items()}}
            for name, distances in (("new to old", self.added), ("old to new", self.removed))
        ]


def earlier_part(case: Case, stage: str = "03_design") -> Earlier | None:
    """The part of the last revision that was published, or None before the first."""
    folder = case.current(stage)
    if folder is None or not (folder / "part.stl").is_file():
        return None
    result = read_result(folder)
    mesh = read_stl(folder / "part.stl")
    mesh.apply_transform(np.array(result.details["plate_to_patient"]))
    return Earlier(folder.name, sha256_of(folder / "part.stl"), mesh, result.parameters)


def difference(part: Part, earlier: Earlier) -> Difference:
    """How a part differs from an earlier one, compared in the patient, wherever it lies.

    Both ways, since the distance from one side hides what is gone from the other.
    """
    placed = part.mesh.copy()
    placed.apply_transform(part.plate_to_patient)
    added = signed_distances(sampled(placed), earlier.mesh)
    removed = signed_distances(sampled(earlier.mesh), placed)
    return Difference(
        earlier=earlier,
        of_vertices_mm=added[: len(placed.vertices)],
        added=Distances.of(added),
        removed=Distances.of(removed),
        volume_change_mm3=float(abs(placed.volume) - abs(earlier.mesh.volume)),
    )


def decisions_changed(earlier: Earlier, decided: dict[str, Any]) -> str:
    """Which decisions differ from those of an earlier revision, in words."""
    changes = [
        f"{name}: {json.dumps(earlier.parameters.get(name))} → {json.dumps(value)}"
        for name, value in decided.items()
        if name != "operator" and earlier.parameters.get(name) != value
    ]
    return "; ".join(changes) or "the same decisions"
