"""How far the designers of one scan lie apart, and which decision matters most."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import trimesh

from labkit.case import Check
from labkit.files import write_whole
from labkit.segmentation.variability import Outcome
from labkit.volume import Array

SPREAD_COLUMNS = ["structure", "threshold_hu", "operator", "volume_mm3", "volume_percent"]
SPREAD_COLUMNS += ["deviation_mm", "signed_mm", "p95_mm", "refused"]

DEVIATION_MM, VOLUME_PERCENT = 0.41, 27.0
"""The upper ends of what thresholds made of one scan, against the reference: 0.03 to 0.41 mm on
average, 1 to 27 % of the volume (jdigitaldiagnostics.com article 63680)."""

PUBLISHED = "article 63680 of jdigitaldiagnostics.com"

MARGIN_MM = 0.7
"""The margin of segmentation in FDA K231607."""

MARGIN_SOURCE = "margin of segmentation in FDA K231607"


@dataclass(frozen=True)
class Spread:
    """How far the designers of one structure lie apart.

    Parameters
    ----------
    reference : the decisions of the first designer, which the others differ from.
    rows : one mapping per designer, under `SPREAD_COLUMNS`; deviations are means over the area of
        the reference, without sign and with, and the 95th percentile without.
    sd_mm : (n,) float64, mm, per vertex of the reference: the standard deviation over the
        designers of how far outside the surface lies (n - 1 in the denominator).
    p95_sd_mm : what 95 % of the reference's area stays under.
    ranges_mm : by decision, how far the surface moves on average between its two extreme
        choices, the mean over all others: what the decision alone is worth.
    """

    structure: str
    reference: Mapping[str, object]
    rows: list[dict[str, object]]
    sd_mm: Array
    p95_sd_mm: float
    ranges_mm: dict[str, float]

    @property
    def deviation_mm(self) -> float:
        """The largest mean distance of a designer from the reference, mm."""
        return max(_float(row["deviation_mm"]) for row in self.rows if not row["refused"])

    @property
    def volume_percent(self) -> float:
        """The largest change of volume against the reference, without sign, %."""
        return max(abs(_float(row["volume_percent"])) for row in self.rows if not row["refused"])

    @property
    def refused(self) -> int:
        """How many designers got no surface."""
        return sum(bool(row["refused"]) for row in self.rows)

    @property
    def conclusion(self) -> str:
        """One sentence: which decision matters most, and how much."""
        if not self.ranges_mm:
            return f"{self.structure}: nothing was varied."
        ranked = sorted(self.ranges_mm.items(), key=lambda item: -item[1])
        moves = ", ".join(f"the {name} moves it by {mm:.2f} mm" for name, mm in ranked)
        return (
            f"{self.structure}: the {ranked[0][0]} matters most for where the surface lies "
            f"({moves} on average); on 95 % of it the designers' SD is at most "
            f"{self.p95_sd_mm:.2f} mm."
        )


def spreads_of(
    outcomes: Sequence[Outcome], references: Mapping[str, trimesh.Trimesh]
) -> list[Spread]:
    """The spread of each structure's designers about its reference, which stands first."""
    return [
        _spread([one for one in outcomes if one.designer.structure == structure], reference)
        for structure, reference in references.items()
    ]


def _spread(outcomes: Sequence[Outcome], reference: trimesh.Trimesh) -> Spread:
    made = [one for one in outcomes if not one.refused]
    thirds = np.repeat(reference.area_faces / 3, 3)
    weights: Array = np.bincount(reference.faces.ravel(), thirds).astype(np.float64)
    signed = np.array([one.signed_mm for one in made])
    sd_mm = signed.std(axis=0, ddof=1) if len(made) > 1 else np.zeros(len(reference.vertices))
    start_mm3 = outcomes[0].volume_mm3
    return Spread(
        structure=outcomes[0].designer.structure,
        reference=outcomes[0].designer.parameters.decided(),
        rows=[_row(one, start_mm3, weights) for one in outcomes],
        sd_mm=sd_mm,
        p95_sd_mm=_percentile(sd_mm, weights, 95),
        ranges_mm={
            decision: worth
            for decision, name in (("threshold", "threshold_hu"), ("operator", "operator"))
            if (worth := _range_mm(made, name, weights)) is not None
        },
    )


def check_spread(spreads: Sequence[Spread]) -> list[Check]:
    """The acceptance of a study: each structure's spread against its limits.

    Beyond a limit is *action*: the decision needs a rule of the lab, the scan is not at fault.
    """
    found = []
    for one in spreads:
        for name, value, limit, unit, source in (
            ("mean deviation, largest", one.deviation_mm, DEVIATION_MM, "mm", PUBLISHED),
            ("change of volume, largest", one.volume_percent, VOLUME_PERCENT, "%", PUBLISHED),
            ("two SD, 95 % of the surface", 2 * one.p95_sd_mm, MARGIN_MM, "mm", MARGIN_SOURCE),
            ("designers without a surface", one.refused, 0, "", "labkit's own"),
        ):
            found.append(
                Check(
                    name=f"{one.structure}: {name}",
                    value=round(float(value), 4),
                    unit=unit,
                    limit=f"≤ {limit:g} {unit}".rstrip() + f" ({source})",
                    verdict="pass" if value <= limit else "action",
                )
            )
    return found


def _row(one: Outcome, start_mm3: float, weights: Array) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(SPREAD_COLUMNS)
    row |= {name: getattr(one.designer, name) for name in SPREAD_COLUMNS[:3]} | {
        "refused": one.refused
    }
    if not one.refused:
        distance = np.abs(one.signed_mm)
        row |= {
            "volume_mm3": round(one.volume_mm3, 1),
            "volume_percent": round(100 * (one.volume_mm3 / start_mm3 - 1), 2) + 0.0,  # no "-0"
            "deviation_mm": round(float(np.average(distance, weights=weights)), 4),
            "signed_mm": round(float(np.average(one.signed_mm, weights=weights)), 4),
            "p95_mm": round(_percentile(distance, weights, 95), 4),
        }
    return row


def _range_mm(made: Sequence[Outcome], name: str, weights: Array) -> float | None:
    """Between the extreme choices of a decision, mm; None where it was not varied."""
    groups: dict[object, list[float]] = {}
    for one in made:
        mean_mm = float(np.average(one.signed_mm, weights=weights))
        groups.setdefault(getattr(one.designer, name), []).append(mean_mm)
    means = [float(np.mean(group)) for group in groups.values()]
    return max(means) - min(means) if len(means) > 1 else None


def _percentile(values: Array, weights: Array, percent: float) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(share, percent / 100)])


def _float(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def write_study(
    spreads: Sequence[Spread], checks: Sequence[Check], study_of: str, folder: Path
) -> None:
    """Write ``designers.csv``, one row per designer, and ``spread.json``: numbers and checks.

    Parameters
    ----------
    study_of : the code of the case.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, SPREAD_COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(row for found in spreads for row in found.rows)
    write_whole(folder / "designers.csv", text.getvalue())
    structures = [
        {
            "structure": found.structure,
            "reference": dict(found.reference),
            "designers": len(found.rows),
            "refused": found.refused,
            "largest_deviation_mm": found.deviation_mm,
            "largest_volume_percent": found.volume_percent,
            "p95_sd_mm": round(found.p95_sd_mm, 4),
            "ranges_mm": {name: round(mm, 4) for name, mm in found.ranges_mm.items()},
            "conclusion": found.conclusion,
        }
        for found in spreads
    ]
    content = {
        "schema": "labkit/designer-variability/1",
        "of": study_of,
        "tools": {"labkit": version("labkit")},
        "structures": structures,
        "checks": [check.model_dump() for check in checks],
    }
    write_whole(folder / "spread.json", json.dumps(content, indent=1) + "\n")
