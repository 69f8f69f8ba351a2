"""The table of measurements while a person fills it in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from labkit.errors import InspectionError
from labkit.inspection.judging import (
    Item,
    Measured,
    Measurements,
    judge,
    millimetres,
    read_lines,
    read_measurements,
    write_table,
)

Field = Literal["measured", "instrument", "remark"]


@dataclass(frozen=True)
class Line:
    """What stands in the fields of a feature; ``measured`` in mm, as it was typed."""

    measured: str
    instrument: str
    remark: str = ""


class Sheet:
    """The plan with what a person types.  It counts once it is written.

    Parameters
    ----------
    items : the plan.
    kept : the table to begin with: of this session, or of the last revision.

    Raises
    ------
    InspectionError
        The table to begin with cannot be used.
    """

    def __init__(self, items: Sequence[Item], kept: Path | None = None) -> None:
        self.items = tuple(items)
        self.lines = {item.feature: Line("", item.instrument) for item in items}
        self.strange: tuple[str, ...] = ()
        self.written = False
        self._typed: set[str] = set()
        if kept is not None:
            self._fill(kept)
        self._settled = dict(self.lines)

    def _fill(self, kept: Path) -> None:
        found = read_measurements(kept)
        self.strange = tuple(sorted(set(found) - set(self.lines)))
        for row in read_lines(kept):
            feature = (row["feature"] or "").strip()
            if feature not in self.lines:
                continue
            value = f"{found[feature][0]:.10g}" if feature in found else ""
            instrument = (row.get("instrument") or "").strip() or self.lines[feature].instrument
            self.lines[feature] = Line(value, instrument, (row.get("remark") or "").strip())

    def type(self, feature: str, field: Field, text: str) -> None:
        """What the person has in a field now; ``measured`` in mm."""
        self.lines[feature] = replace(self.lines[feature], **{field: text.strip()})
        self._typed.add(feature)

    def take_over(self, earlier: "Sheet") -> None:
        """Put what was typed in an earlier table of the same plan into this one."""
        for feature in earlier._typed & set(self.lines):
            self.lines[feature] = earlier.lines[feature]
            self._typed.add(feature)

    @property
    def changed(self) -> bool:
        """Whether something stands here that is not in the table that counts."""
        return self.lines != self._settled

    @property
    def filled(self) -> int:
        """How many features have a measured value that is possible."""
        return len(self._readable)

    def fault(self, feature: str) -> str:
        """Why the value of a feature cannot be used; empty where it can, or is not there."""
        text = self.lines[feature].measured
        try:
            if text:
                millimetres(text)
        except ValueError:
            return "a number of millimetres above 0 is needed"
        return ""

    def judged(self, *, tolerance_mm: float, action_mm: float) -> list[Measured]:
        """Each line of the plan with deviation (mm) and verdict, as `judge` gives them."""
        return judge(self.items, self._readable, tolerance_mm=tolerance_mm, action_mm=action_mm)

    @property
    def _readable(self) -> Measurements:
        return {
            feature: (millimetres(line.measured), line.instrument, line.remark)
            for feature, line in self.lines.items()
            if line.measured and not self.fault(feature)
        }

    def write(self, path: Path) -> None:
        """Write the table that `labkit.inspection.measurements` reads, whole or not at all.

        A feature without a value is refused, unless its remark says why it has none.

        Raises
        ------
        InspectionError
            A value is missing or impossible.
        StorageError
            The disk is full or the place cannot be written.
        """
        wrong = [feature for feature in self.lines if self.fault(feature)]
        if wrong:
            raise _refused(
                "impossible: " + "; ".join(wrong), "a number of millimetres above 0 in each field"
            )
        if not self.filled:
            raise _refused("nothing is measured", "a value for each feature")
        missing = [f for f, line in self.lines.items() if not line.measured and not line.remark]
        if missing:
            raise _refused(
                "missing: " + "; ".join(missing),
                "a value for each feature, or a remark that says why it has none",
            )
        readable, filled = self._readable, {}
        for item in self.items:
            line = self.lines[item.feature]
            value = f"{readable[item.feature][0]:.10g}" if line.measured else ""
            filled[item.feature] = (value, line.instrument or item.instrument, line.remark)
        write_table(self.items, filled, path)
        self._settled, self.written = dict(self.lines), True

    def unused(self, used: Measurements) -> list[str]:
        """The features of which something was typed that is not in the table that counts."""
        readable = self._readable
        return [
            feature
            for feature, line in self.lines.items()
            if feature in self._typed
            and (
                line != self._settled[feature]
                or _value(readable, feature) != _value(used, feature)  # another file was named
            )
        ]

    def warnings(self, used: Measurements, *, virtual: bool) -> list[str]:
        """What everyone who reads the record should know of the measurements that count.

        Parameters
        ----------
        virtual : whether virtual calipers took them, on the tool path.
        """
        said = []
        if virtual:
            said.append(
                "no part was measured: virtual calipers on the tool path of a practice print"
            )
        if unused := self.unused(used):
            said.append("typed by hand and not used: " + "; ".join(unused))
        return said


def _value(taken: Measurements, feature: str) -> float | None:
    return taken[feature][0] if feature in taken else None


def _refused(found: str, expected: str) -> InspectionError:
    return InspectionError(
        found,
        expected=expected,
        where="the table of measurements",
        fix="correct that and press the button again",
    )
