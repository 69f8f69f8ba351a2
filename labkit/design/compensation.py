"""What a lattice is drawn like, so that the printed one has the ligaments and pores wanted."""

from dataclasses import dataclass
from typing import Any

from labkit.design.implicit import cell
from labkit.errors import DesignError
from labkit.parameters import Lattice

_LEAST, _MOST = 0.1, 0.95


@dataclass(frozen=True)
class Compensation:
    """The cell that is drawn.

    Parameters
    ----------
    cell_mm : its period.
    porosities : at both ends of the grading.
    rows : each end, as wanted and as drawn.
    """

    cell_mm: float
    porosities: tuple[float, float]
    rows: tuple[dict[str, Any], ...] = ()

    def table(self) -> list[dict[str, Any]]:
        """Wanted and drawn, for the record; empty where nothing was changed."""
        return list(self.rows)

    def caveats(self) -> list[str]:
        """What later stages must know of it."""
        if not self.rows:
            return []
        return [
            "drawn larger than wanted, for a process that shrinks: the file is not the part wanted"
        ]


def compensated(parameters: Lattice) -> Compensation:
    """The cell and its porosities, so that the process brings ligament t and pore p to size.

    With t = k·(1 − φ)·L/σ and p = 4·φ·L/σ of a cell L of porosity φ and surface σ·L²,
    the ratio p/t depends on φ/(1 − φ) alone.  So φ follows from the ratio of both
    changes, and L from the ligament.  Cells keep one length: with a grading it is that
    of its start, and the pores are right at its end too, the ligaments nearly.

    Raises
    ------
    DesignError
        The changes would take a porosity that does not hold together.
    """
    ligament = 1 + parameters.ligament_change_percent / 100
    pore = 1 + parameters.pore_change_percent / 100
    wanted = (parameters.porosity, parameters.porosity_to)
    if ligament == pore == 1:
        return Compensation(parameters.cell_mm, wanted)
    odds = [each / (1 - each) * ligament / pore for each in wanted]
    drawn = (odds[0] / (1 + odds[0]), odds[1] / (1 + odds[1]))
    used = drawn if parameters.grading != "none" else drawn[:1]
    if not all(_LEAST <= each <= _MOST for each in used):
        raise DesignError(
            f"a porosity of {max(used):.2f} to make up for the process",
            expected=f"{_LEAST:g} to {_MOST:g}",
            where="03_design, ligament_change_percent, pore_change_percent and porosity",
            fix="ask for a lower porosity, or make up for less",
        )
    made_of = cell(parameters.cell)
    thickness = [
        (1 - each) / made_of.area(each) for each in (wanted[0], drawn[0])
    ]  # of the ligament, in periods, but for k
    cell_mm = parameters.cell_mm * thickness[0] / thickness[1] / ligament
    rows = tuple(
        {
            "grading": end,
            "cell wanted, mm": parameters.cell_mm,
            "cell drawn, mm": round(cell_mm, 4),
            "porosity wanted": before,
            "porosity drawn": round(after, 4),
        }
        for end, before, after in zip(("start", "end"), wanted, used, strict=False)
    )
    return Compensation(cell_mm, drawn, rows)
