"""A part from a file, on the plate and held against a printer: what `labkit part check` does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labkit.case import Check
from labkit.design.imported import Imported, read_part
from labkit.design.orientation import Proposal, propose
from labkit.design.part import Part, PrintObject
from labkit.design.printability import Printability, printability
from labkit.design.repair import Repaired, repaired
from labkit.equipment import PrinterProfile


@dataclass(frozen=True)
class Examined:
    """What was found of a part from a file."""

    imported: Imported
    repairs: dict[str, Repaired]
    part: Part
    found: Printability
    proposal: Proposal

    @property
    def checks(self) -> list[Check]:
        """The repair of each object, then the printability."""
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
        return [*mended, *self.found.checks]


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
    shift = np.eye(4)
    shift[:3, 3] = -(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]
    objects = []
    for name, each in repairs.items():
        mesh = each.mesh.copy()
        mesh.apply_transform(shift)
        objects.append(PrintObject(name, mesh))
    back = np.eye(4)
    back[:3, 3] = -shift[:3, 3]
    part = Part(tuple(objects), back)
    return Examined(imported, repairs, part, printability(part, printer), propose(part, printer))
