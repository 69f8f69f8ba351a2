"""The plan of what is measured, the table that is filled in, and the verdicts."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from labkit.case import Verdict
from labkit.errors import InspectionError
from labkit.files import write_whole

COLUMNS = ("feature", "axis", "nominal_mm", "measured_mm", "instrument", "remark")


@dataclass(frozen=True)
class Item:
    """A line of the inspection plan."""

    feature: str
    axis: str
    nominal_mm: float
    instrument: str


@dataclass(frozen=True)
class Measured:
    """A line of the plan with what was measured.

    ``deviation_mm`` is measured minus nominal; None when not measured.
    """

    item: Item
    measured_mm: float | None
    instrument: str
    remark: str
    deviation_mm: float | None
    verdict: Verdict

    def row(self) -> dict[str, Any]:
        """The line as it stands in the record."""
        return {
            "feature": self.item.feature,
            "axis": self.item.axis,
            "nominal_mm": self.item.nominal_mm,
            "measured_mm": self.measured_mm,
            "deviation_mm": None if self.deviation_mm is None else round(self.deviation_mm, 4),
            "instrument": self.instrument,
            "remark": self.remark,
            "verdict": self.verdict,
        }


Measurements = Mapping[str, tuple[float, str, str]]
"""``{feature: (measured mm, instrument, remark)}``."""


def plan(features: Sequence[Mapping[str, Any]]) -> list[Item]:
    """The inspection plan, from the features that the design proposes.

    Raises
    ------
    InspectionError
        The design proposes nothing to measure.
    """
    if not features:
        raise InspectionError(
            "a part without a dimension to inspect",
            expected="at least one feature in the record of stage 03_design",
            where="06_inspection",
            fix="design the part with a base: its landing blocks can be measured",
        )
    return [
        Item(
            str(feature["name"]),
            str(feature["axis"]),
            float(feature["nominal_mm"]),
            str(feature["instrument"]),
        )
        for feature in features
    ]


def write_template(items: Sequence[Item], path: Path) -> None:
    """Write the table that a person fills in: the plan, with ``measured_mm`` empty."""
    write_table(items, {}, path)


def write_table(
    items: Sequence[Item], filled: Mapping[str, tuple[str, str, str]], path: Path
) -> None:
    """Write the plan with what was filled in, whole or not at all.

    Parameters
    ----------
    filled : by feature the millimetres as they are to stand there, instrument and remark.

    Raises
    ------
    StorageError
        The disk is full or the place cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for item in items:
        line = filled.get(item.feature, ("", item.instrument, ""))
        table.writerow([item.feature, item.axis, f"{item.nominal_mm:.3f}", *line])
    write_whole(path, text.getvalue())


def measurements(filled: Path | None, virtual_mm: Mapping[str, float]) -> Measurements:
    """What was measured: the filled table, else the extents of the tool path, in mm.

    Raises
    ------
    InspectionError
        The table cannot be used.
    """
    if filled is not None:
        return read_measurements(filled)
    return {
        feature: (value, "virtual caliper on the tool path", "practice")
        for feature, value in virtual_mm.items()
    }


def keep_table(filled: Path, path: Path) -> None:
    """Put a copy of the filled table among the products: it is the raw data."""
    write_whole(path, filled.read_bytes())


def statistics(measured: Sequence[Measured]) -> dict[str, float]:
    """Mean (trueness), SD (precision, ISO 5725) and largest absolute deviation, in mm.

    Empty when nothing was measured; no SD from a single value.
    """
    values = [one.deviation_mm for one in measured if one.deviation_mm is not None]
    if not values:
        return {}
    found = {
        "deviation_mean_mm": fmean(values),
        "deviation_max_mm": max(abs(value) for value in values),
        "measured": len(values),
    }
    return found | ({"deviation_sd_mm": stdev(values)} if len(values) > 1 else {})


def read_measurements(path: Path) -> Measurements:
    """``{feature: (measured mm, instrument, remark)}`` from a filled table.

    Comma or semicolon between the columns, decimal point or, with semicolons, comma.

    Raises
    ------
    InspectionError
        A column is missing, a value is no number, or a feature stands twice.
    """
    found: dict[str, tuple[float, str, str]] = {}
    for line, row in enumerate(read_lines(path), 2):
        feature, value = (row["feature"] or "").strip(), (row["measured_mm"] or "").strip()
        if not feature or not value:
            continue
        if feature in found:
            raise _unreadable(f"line {line}: {feature} for the second time")
        try:
            measured_mm = millimetres(value)
        except ValueError as error:
            raise _unreadable(f"line {line}: {value!r} is no number of millimetres") from error
        found[feature] = (
            measured_mm,
            (row.get("instrument") or "").strip(),
            (row.get("remark") or "").strip(),
        )
    return found


def millimetres(text: str) -> float:
    """The length that a person wrote, in mm, with a decimal point or comma.

    Raises
    ------
    ValueError
        It is no number, or nothing that can be measured.
    """
    measured_mm = float(text.replace(",", "."))
    if not isfinite(measured_mm) or measured_mm <= 0:
        raise ValueError(text)
    return measured_mm


def read_lines(path: Path) -> list[dict[str, str | None]]:
    """The lines of a filled table as they stand there, by column.

    Raises
    ------
    InspectionError
        The file is no table, or lacks a column that is needed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable("the file is no readable text") from error
    reader = csv.DictReader(
        io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ","
    )
    missing = {"feature", "measured_mm"} - set(reader.fieldnames or [])
    if missing:
        raise _unreadable(f"no column {' or '.join(sorted(missing))}")
    rows = list(reader)
    for line, row in enumerate(rows, 2):
        if None in row:
            raise _unreadable(f"line {line}: more values than columns (a decimal comma?)")
    return rows


def judge(
    items: Sequence[Item],
    taken: Measurements,
    *,
    tolerance_mm: float,
    action_mm: float,
) -> list[Measured]:
    """Each line of the plan with its deviation and verdict.

    Within the action level *pass*, within the tolerance *action*, beyond it *fail*;
    without a measurement *not done*.  The tolerance of 1 mm for anatomical models
    made by material extrusion is that of Ravi 2022 (PMC9156585), who found a mean
    absolute deviation of 0.26 mm.

    Raises
    ------
    InspectionError
        A measurement of something that the plan does not hold.
    """
    unknown = sorted(set(taken) - {item.feature for item in items})
    if unknown:
        raise InspectionError(
            f"a measurement of {unknown[0]!r}",
            expected="one of " + "; ".join(item.feature for item in items),
            where="the table of measurements",
            fix="use the names of the template",
        )
    judged = []
    for item in items:
        measured_mm, instrument, remark = taken.get(item.feature, (None, "", ""))
        deviation = None if measured_mm is None else measured_mm - item.nominal_mm
        judged.append(
            Measured(
                item=item,
                measured_mm=measured_mm,
                instrument=instrument or item.instrument,
                remark=remark,
                deviation_mm=deviation,
                verdict=_verdict(deviation, tolerance_mm, action_mm),
            )
        )
    return judged


def _verdict(deviation_mm: float | None, tolerance_mm: float, action_mm: float) -> Verdict:
    if deviation_mm is None:
        return "not done"
    if abs(deviation_mm) <= min(action_mm, tolerance_mm):
        return "pass"
    return "action" if abs(deviation_mm) <= tolerance_mm else "fail"


def _unreadable(found: str) -> InspectionError:
    return InspectionError(
        found,
        expected="the columns " + ", ".join(COLUMNS) + ", one line per feature",
        where="the table of measurements",
        fix="fill in the template that stage 06_inspection wrote, and save it as CSV",
    )
