"""A part from a file, on the plate and held against a printer: what `labkit part check` does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from labkit.case import Check
from labkit.design.imported import Imported, read_part
from labkit.design.orientation import Proposal, propose
from labkit.design.part import Part, PrintObject
from labkit.design.printability import Printability, printability
from labkit.design.repair import MOST_TRIANGLES, Repaired, repaired
from labkit.design.solids import onto_plate
from labkit.equipment import PrinterProfile
from labkit.volume import affine


@dataclass(frozen=True)
class Examined:
    """What was found of a part from a file."""

    imported: Imported
    repairs: dict[str, Repaired]
    part: Part
    found: Printability
    proposal: Proposal

    @property
    def places(self) -> dict[str, list[float]]:
        """Where each check that does not pass is worst, mm, plate frame, by the check's name."""
        first = {
            _crosses(name): trimesh.transform_points(
                each.crossing[:1], np.linalg.inv(self.part.plate_to_patient)
            )[0]
            for name, each in self.repairs.items()
            if each.crossing is not None and len(each.crossing)
        }
        return self.found.as_dict() | {
            name: np.round(place, 2).tolist() for name, place in first.items()
        }

    @property
    def checks(self) -> list[Check]:
        """The repair of each object and its crossings, then the printability."""
        mended = [
            Check(
                name=f"{name}, repaired",
                value=round(each.change.max_mm, 6),
                unit="mm",
                limit="; ".join(each.steps),
                verdict="action",
            )
            for name, each in self.repairs.items()
            if each.steps
        ]
        crossing = [_crossing(name, each) for name, each in self.repairs.items()]
        return [*mended, *crossing, *self.found.checks]


def _crosses(name: str) -> str:
    return f"{name}, passes through itself"


def _crossing(name: str, repair: Repaired) -> Check:
    count = None if repair.crossing is None else len(repair.crossing)
    return Check(
        name=_crosses(name),
        value=count,
        unit="places",
        limit="0: slicers fill or leave out what lies between"
        if count is not None
        else f"0: not searched for beyond {MOST_TRIANGLES} triangles",
        verdict="not done" if count is None else "action" if count else "pass",
    )


def examine(path: Path, unit: str, printer: PrinterProfile, *, repair_bound_mm: float) -> Examined:
    """A part from a file, moved onto the plate, its surface mended where that is needed.

    Parameters
    ----------
    repair_bound_mm : how far a repair may move the surface.

    Raises
    ------
    DesignError
        It cannot be read, or not be closed within the bound.
    """
    imported = read_part(path, unit)
    repairs = {
        each.name: repaired(each.mesh, bound_mm=repair_bound_mm, name=f"{path.name}, {each.name}")
        for each in imported.objects
    }
    low = np.min([each.mesh.bounds[0] for each in repairs.values()], axis=0)
    high = np.max([each.mesh.bounds[1] for each in repairs.values()], axis=0)
    shift = onto_plate(low, high)
    objects = []
    for name, each in repairs.items():
        mesh = each.mesh.copy()
        mesh.apply_translation(shift)
        objects.append(PrintObject(name, mesh))
    part = Part(tuple(objects), affine(np.eye(3), -shift))
    return Examined(imported, repairs, part, printability(part, printer), propose(part, printer))
