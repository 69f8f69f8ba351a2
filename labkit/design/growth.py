"""When a child outgrows a size: from serial measurements, or from the growth reference.

Serial measurements of the child come first: a straight line through them, looked ahead
no farther than they reach back.  Without them the WHO growth reference of height is
taken (de Onis et al. 2007, doi 10.2471/BLT.07.043497; tables of height-for-age from 5 to
19 years, L = 1).  A limb is taken to grow in proportion to height: the project's own
assumption, true on average only, so that every size is to be checked against the child.
"""

import calendar
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.interpolate import PchipInterpolator

from labkit.errors import DesignError
from labkit.parameters.design.fitted import Fitted, pairs
from labkit.volume import Array

HEIGHT_FOR_AGE = (
    (61, 110.2647, 0.04164, 109.6016, 0.04355),
    (72, 115.9509, 0.04249, 115.1244, 0.04447),
    (84, 121.7338, 0.04342, 120.8105, 0.04525),
    (96, 127.2651, 0.04438, 126.5558, 0.04581),
    (108, 132.5652, 0.04535, 132.4944, 0.04612),
    (120, 137.7795, 0.04626, 138.6363, 0.04614),
    (132, 143.1126, 0.04703, 144.9929, 0.04584),
    (144, 149.0807, 0.04753, 151.2327, 0.04523),
    (156, 156.0426, 0.04760, 156.3748, 0.04439),
    (168, 163.1816, 0.04714, 159.7890, 0.04345),
    (180, 168.9580, 0.04619, 161.6692, 0.04255),
    (192, 172.8967, 0.04495, 162.5156, 0.04176),
    (204, 175.1609, 0.04364, 162.8545, 0.04109),
    (216, 176.1449, 0.04241, 163.0595, 0.04053),
    (228, 176.5432, 0.04134, 163.1548, 0.04009),
)
"""WHO 2007: age in months; median height, cm, and coefficient of variation, male, then female."""
_FIRST, _LAST = HEIGHT_FOR_AGE[0][0], HEIGHT_FOR_AGE[-1][0]
LEAST_SPAN_MONTHS = 3.0
"""Between the first and the last measurement: the project's own."""
_FARTHEST_SD = 5.0


@dataclass(frozen=True)
class Size:
    """One size of a plan: when it is made, until when it fits, and how large it is.

    ``scale`` is against the measurement the plan starts from.
    """

    number: int
    from_month: int
    to_month: int
    scale: float
    from_date: str = ""
    to_date: str = ""

    def row(self) -> dict[str, object]:
        """The size as a line of the record's table."""
        return vars(self) | {"scale": round(self.scale, 4)}


def plan_of_sizes(parameters: Fitted) -> list[Size]:
    """The sizes that a child needs over the months asked for; empty where none is planned.

    Each is made for the measure at its first month and fits until that has grown by
    ``adjustment_percent``.

    Raises
    ------
    DesignError
        The measurements are too few, out of order or shrinking, the date is none, or
        the child is older than the reference reaches.
    """
    if parameters.growth == "none":
        return []
    last, factor = _growth(parameters)
    room = 1 + parameters.adjustment_percent / 100
    sizes, start = list[Size](), 0
    for month in range(1, last + 1):
        if factor[month] > room * factor[start]:
            sizes.append(_size(len(sizes) + 1, start, month - 1, factor, parameters))
            start = month - 1 if month - 1 > start else month
    return [*sizes, _size(len(sizes) + 1, start, last, factor, parameters)]


def median_height_cm(sex: str, months: float | Array, height_z: float = 0.0) -> Array:
    """Height at an age in months, so many standard deviations off the median: M (1 + z S).

    Between whole years by monotone cubics: within 0.1 cm of the monthly tables.
    """
    table = np.array(HEIGHT_FOR_AGE)
    first = 1 if sex == "male" else 3
    median, variation = PchipInterpolator(table[:, 0], table[:, first : first + 2])(months).T
    return np.asarray(median * (1 + height_z * variation))


def _growth(parameters: Fitted) -> tuple[int, Array]:
    """How many months the plan reaches, and how much has grown at each, from 1."""
    ahead = np.arange(parameters.plan_months + 1)
    if parameters.growth == "measurements":
        months, lengths = _measured(parameters)
        rate, level = np.polyfit(months, lengths, 1)
        now = rate * months[-1] + level
        last = min(parameters.plan_months, int(months[-1] - months[0]))
        return last, np.asarray(1 + max(rate, 0.0) * ahead / now)
    age = parameters.age_years * 12
    last = min(parameters.plan_months, int(_LAST - age))
    if age < _FIRST or last < 1:
        raise DesignError(
            f"a plan from {parameters.age_years:g} years of age",
            expected="5.1 to 18.9 years: what the WHO reference of 2007 holds",
            where="03_design, age_years",
            fix="plan from serial measurements, or set growth to none",
        )
    z = 0.0
    if parameters.height_cm:
        median, taller = (median_height_cm(parameters.sex, age, each) for each in (0.0, 1.0))
        z = float((parameters.height_cm - median) / (taller - median))
        if abs(z) > _FARTHEST_SD:
            raise DesignError(
                f"a height of {parameters.height_cm:g} cm at {parameters.age_years:g} years",
                expected=f"within {_FARTHEST_SD:g} standard deviations of {median:.0f} cm",
                where="03_design, height_cm, age_years and sex",
                fix="correct them, or plan from serial measurements",
            )
    heights = median_height_cm(parameters.sex, np.minimum(age + ahead, _LAST), z)
    return last, np.asarray(heights / heights[0])


def _measured(parameters: Fitted) -> tuple[Array, Array]:
    table = np.array(pairs(parameters.measurements), float).reshape(-1, 2)
    months, lengths = table.T
    if (
        len(table) < 2
        or (np.diff(months) <= 0).any()
        or months[-1] - months[0] < LEAST_SPAN_MONTHS
        or lengths.min() <= 0
        or lengths[-1] < 0.98 * lengths[0]
    ):
        raise DesignError(
            f"measurements = {parameters.measurements!r}",
            expected=f"two or more, in order, over {LEAST_SPAN_MONTHS:g} months, none shrinking",
            where="03_design, measurements",
            fix="write months and mm, the oldest first, or plan from the reference",
        )
    return months, lengths


def _size(number: int, start: int, end: int, factor: Array, parameters: Fitted) -> Size:
    dates = ("", "")
    if parameters.measured_on:
        try:
            day = date.fromisoformat(parameters.measured_on)
        except ValueError as error:
            raise DesignError(
                f"measured_on = {parameters.measured_on!r}",
                expected="a day of the calendar, as 2026-05-31",
                where="03_design, measured_on",
                fix="correct it, or leave it empty",
            ) from error
        dates = _later(day, start), _later(day, end)
    return Size(number, start, end, float(factor[start]), *dates)


def _later(day: date, months: int) -> str:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1])).isoformat()


def record_of(sizes: list[Size], parameters: Fitted) -> dict[str, object]:
    """What the record says of a plan: on what it rests, and its sizes; nothing without one."""
    if not sizes:
        return {}
    basis = {
        "reference": "WHO growth reference 2007, height-for-age; limb in proportion to height",
        "measurements": "a straight line through the child's own measurements",
    }[parameters.growth]
    return {"sizes_rest_on": basis, "sizes": [size.row() for size in sizes]}


def caveats_of(sizes: list[Size]) -> list[str]:
    """What must travel with a part for a growing child."""
    if not sizes:
        return []
    first = sizes[0]
    until = first.to_date or f"month {first.to_month}"
    return [
        f"for a growing child: expected to fit until {until}, {len(sizes)} sizes planned; "
        "measure again at every visit"
    ]
