"""The table of measurements to fill in by hand, with each verdict as it is typed.

The page sends what stands in a field; the kernel judges, and sends back what it found.
"""

from pathlib import Path
from typing import Any, Protocol

import anywidget
import traitlets

from labkit.case import Order, Verdict
from labkit.errors import LabkitError
from labkit.inspection import Item, Measured, Sheet
from labkit.views.deciding import Deciding
from labkit.views.presence import somebody_looks_on
from labkit.views.words import Words, signed, table

TABLE = "measurements.csv"
"""The product that the person fills in."""

BUTTON = "Use these measurements"

_OPEN: list["MeasuringTable"] = []
"""The table that is filled in, of which there is one in a kernel."""


class Stage(Deciding, Protocol):
    """What the table needs of a stage."""

    @property
    def order(self) -> Order:
        """Which case it is."""

    def hand_made(self, name: str, /) -> Path:
        """Where a product goes, or a `LabkitError` once nothing is written any more."""

    def check(self, name: str, value: None, verdict: Verdict, /) -> None:
        """Add a verdict, in place of an earlier one of that name."""


class MeasuringTable(anywidget.AnyWidget):
    """A line of fields for each feature of the plan, and the button that makes them count."""

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    """A mapping for each feature: the plan, the fields, deviation in mm and verdict."""
    said = traitlets.Dict().tag(sync=True)
    """``role`` (status or alert) and ``text``: how far the person is."""
    limits = traitlets.Unicode().tag(sync=True)
    """Tolerance and action level in words."""
    button = traitlets.Unicode(BUTTON).tag(sync=True)

    def __init__(self, stage: Stage, sheet: Sheet) -> None:
        self.stage, self.sheet = stage, sheet
        super().__init__()
        self.on_msg(self._on_page)
        self._judge()
        self._say(self._state())
        self._weigh()

    def _on_page(self, _: object, asked: dict[str, Any], __: object) -> None:
        if asked.get("use"):
            self._use()
            self._weigh()
        elif asked.get("feature") in self.sheet.lines and asked.get("field") in _FIELDS:
            self.sheet.type(asked["feature"], asked["field"], str(asked.get("text", "")))
            self._judge()
            self._say(self._state())
            self._weigh()

    def _weigh(self) -> None:
        """Note with the stage what is typed here and not used yet."""
        if self.sheet.changed:
            self.stage.left_open["the measurements"] = "typed"
        else:
            self.stage.left_open.pop("the measurements", None)

    def _judge(self) -> None:
        chosen = self.stage.parameters
        tolerance_mm, action_mm = chosen.tolerance_mm, chosen.action_mm
        judged = self.sheet.judged(tolerance_mm=tolerance_mm, action_mm=action_mm)
        self.limits = f"± {tolerance_mm:g} mm, action beyond {action_mm:g} mm"
        self.rows = [self._row(one.item, one) for one in judged]

    def _row(self, item: Item, one: Measured) -> dict[str, Any]:
        line = self.sheet.lines[item.feature]
        word, colour = signed(one.verdict)
        deviation = "–" if one.deviation_mm is None else f"{one.deviation_mm:+.2f} mm"
        return {
            "feature": item.feature,
            "axis": item.axis,
            "nominal": f"{item.nominal_mm:.2f}",
            "planned": item.instrument,
            "measured": line.measured,
            "instrument": line.instrument,
            "remark": line.remark,
            "deviation": deviation,
            "verdict": word,
            "colour": colour,
            "fault": self.sheet.fault(item.feature),
        }

    def _use(self) -> None:
        self._judge()
        named = getattr(self.stage.parameters, "measurements_csv", "")
        if named:
            self._refuse(
                "The file that measurements_csv names counts first. "
                "Empty that field above, press Use these values there, then press the button again."
            )
            return
        try:
            self.sheet.write(self.stage.hand_made(TABLE))
        except LabkitError as error:
            self._refuse(str(error))
            return
        for item in self.sheet.items:  # what was judged before came from other values
            self.stage.check(item.feature, None, "not done")
        self._say(self._state())

    def _state(self) -> str:
        filled, count = self.sheet.filled, len(self.sheet.items)
        progress = f"{filled} of {count} measured, {count - filled} missing."
        if self.sheet.changed and self.sheet.written:
            return f"{progress} Changed: press “{BUTTON}” again."
        if self.sheet.changed:
            return f"{progress} Not used yet: press “{BUTTON}”."
        if self.sheet.written:
            return f"{progress} They are in {TABLE} and used from here on."
        if filled:
            return f"{progress} They are those of the table that counts now. " + self._left_out()
        return (
            f"{progress} Nothing is typed. If it stays so, a practice print is measured by "
            "virtual calipers on its tool path; any other part is not inspected."
        )

    def _left_out(self) -> str:
        strange = "; ".join(self.sheet.strange)
        return f"That table also holds what this plan does not: {strange}." if strange else ""

    def _say(self, text: str) -> None:
        self.said = {"role": "status", "text": text.strip()}

    def _refuse(self, text: str) -> None:
        self.said = {"role": "alert", "text": f"✘ Not used. {text}"}

    def __repr__(self) -> str:
        return "The table to fill in by hand: run this cell again."


_FIELDS = ("measured", "instrument", "remark")


def measuring(stage: Stage, sheet: Sheet) -> Words | MeasuringTable:
    """The plan as a table; by hand fields for what was measured, with each verdict at once.

    Nothing counts before *Use these measurements* is pressed: that writes
    ``measurements.csv`` in the stage's folder.  What was typed and not used is still
    there when the cell, or the notebook from its set-up on, is run again.

    Parameters
    ----------
    stage : when it is headless, or nobody looks on, the plan is all.
    sheet : what is filled in.
    """
    if stage.headless or not somebody_looks_on():
        columns = ["feature", "axis", "nominal_mm", "instrument"]
        return table([vars(item) for item in sheet.items], columns)
    if _OPEN:
        earlier = _OPEN.pop()
        if (earlier.stage.order, earlier.sheet.items) == (stage.order, sheet.items):
            sheet.take_over(earlier.sheet)
    _OPEN.append(MeasuringTable(stage, sheet))
    return _OPEN[-1]
