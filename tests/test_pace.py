"""How long a long step still takes, in words."""

import pytest

from labkit.pace import Pace, about


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, ""),
        (1.9, ""),
        (7.4, ", about 7 s left"),
        (38.0, ", about 40 s left"),
        (200.0, ", about 3 min left"),
        (7300.0, ", about 2 h 2 min left"),
    ],
)
def test_a_time_left_is_no_more_exact_than_it_can_be(seconds: float, words: str) -> None:
    assert about(seconds) == words


def _told(times: list[float], total: int) -> list[str]:
    clock = iter([0.0, *times])
    pace = Pace(lambda: next(clock))
    return [pace.left(done, total) for done in range(1, len(times) + 1)]


def test_steady_quick_work_has_a_time_left() -> None:
    told = _told([0.05 * n for n in range(1, 101)], 1000)
    assert told[20] == ""
    assert told[99] == ", about 45 s left"


def test_what_was_done_before_tells_nothing_of_the_rest() -> None:
    told = _told([0.001 * n for n in range(1, 6)] + [10.0], 8)
    assert told == [""] * 5 + [", about 20 s left"]


def test_a_step_that_begins_again_or_has_no_total_says_nothing() -> None:
    clock = iter([0.0, 10.0, 20.0, 21.0])
    pace = Pace(lambda: next(clock))
    assert pace.left(5, 5) == ""
    assert pace.left(0, 5) == ", about 10 s left"
    assert pace.left(0, 0) == ""
