from typing import Any

import numpy as np
import pytest

from labkit.design.growth import HEIGHT_FOR_AGE, Size, median_height_cm, plan_of_sizes
from labkit.errors import DesignError
from labkit.parameters.design.prosthesis import Prosthesis


def _plan(**parameters: Any) -> list[Size]:
    return plan_of_sizes(Prosthesis(**parameters))


@pytest.mark.parametrize(
    ("sex", "months", "median"),
    [
        ("male", 66, 112.9110),
        ("male", 150, 152.4425),
        ("male", 174, 166.3050),
        ("female", 66, 112.1753),
        ("female", 138, 148.1804),
        ("female", 150, 154.0041),
    ],
)
def test_between_whole_years_the_height_is_that_of_the_monthly_table(
    sex: str, months: int, median: float
) -> None:
    assert median_height_cm(sex, months) == pytest.approx(median, abs=0.1)


def test_a_tall_child_stays_as_many_deviations_above_the_median() -> None:
    row = next(row for row in HEIGHT_FOR_AGE if row[0] == 120)
    assert median_height_cm("male", 120, 2.0) == pytest.approx(row[1] * (1 + 2 * row[2]))
    assert median_height_cm("female", 120, -1.0) == pytest.approx(row[3] * (1 - row[4]))


def test_each_size_fits_until_growth_uses_up_its_room() -> None:
    sizes = _plan(
        growth="reference", sex="male", age_years=12.0, plan_months=60, adjustment_percent=5.0
    )
    assert [size.number for size in sizes] == list(range(1, len(sizes) + 1))
    assert sizes[0].scale == 1 and sizes[-1].to_month == 60
    heights = median_height_cm("male", 144 + np.arange(61.0))
    for size, following in zip(sizes, [*sizes[1:], None], strict=True):
        grown = heights[size.to_month] / heights[size.from_month]
        assert grown <= 1.05
        assert size.scale == pytest.approx(heights[size.from_month] / heights[0])
        if following:
            assert following.from_month == size.to_month
            assert heights[size.to_month + 1] / heights[size.from_month] > 1.05
    slow = _plan(growth="reference", sex="female", age_years=17.0, plan_months=60)
    assert len(slow) == 1 and slow[0].to_month == 24  # the reference ends at 19 years


def test_serial_measurements_are_looked_ahead_as_far_as_they_reach_back() -> None:
    sizes = _plan(
        growth="measurements",
        measurements="0, 100; 6, 103; 12, 106; 18, 109",
        plan_months=60,
        adjustment_percent=4.0,
        measured_on="2026-01-31",
    )
    assert sizes[-1].to_month == 18
    # half a millimetre a month: 4 % of 109 mm is used up after 8 months
    assert (sizes[0].from_month, sizes[0].to_month) == (0, 8)
    assert (sizes[0].from_date, sizes[0].to_date) == ("2026-01-31", "2026-09-30")
    assert sizes[1].scale == pytest.approx(113 / 109)
    assert _plan(growth="none") == []


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"growth": "measurements"}, "two or more"),
        ({"growth": "measurements", "measurements": "0, 100; 2, 101"}, "over 3 months"),
        ({"growth": "measurements", "measurements": "0, 100; 6, 90"}, "none shrinking"),
        ({"growth": "measurements", "measurements": "6, 100; 0, 101"}, "in order"),
        ({"growth": "reference", "age_years": 19.0}, "5.1 to 18.9 years"),
        ({"growth": "reference", "height_cm": 60.0}, "standard deviations"),
        ({"growth": "reference", "measured_on": "2026-02-31"}, "a day of the calendar"),
    ],
)
def test_a_plan_that_rests_on_nothing_is_refused(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(DesignError, match=says):
        _plan(**parameters)
