"""How long a long step still takes, from its pace so far; in words."""

import time
from collections.abc import Callable

_KEPT_S = 0.2
"""What is done sooner may have been done before, and tells nothing of the rest."""

_STEADY_S = 2.0
"""Unless so much time went into it: then it is quick work, and no less true."""

_SAID_S = 2.0
"""Less is not worth a word."""


def duration(seconds: float) -> str:
    """A time that is left, in the unit that one would say it in."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def about(seconds: float) -> str:
    """A time left as an end of a sentence: ``, about 40 s left``; empty if next to nothing."""
    if seconds < _SAID_S:
        return ""
    rounded = seconds if seconds < 20 else 5 * round(seconds / 5)
    return f", about {duration(rounded)} left"


class Pace:
    """How long a long step still takes, from what was done since it began.

    Parameters
    ----------
    clock_s : seconds from anywhere.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._last_s = clock_s()
        self._last_done = 0
        self._taken_s, self._taken = 0.0, 0
        self._quick_s, self._quick = 0.0, 0

    def left(self, done: int, total: int) -> str:
        """What `about` says of the rest, now that ``done`` of ``total`` are done."""
        now_s = self._clock_s()
        took_s, items = now_s - self._last_s, done - self._last_done
        self._last_s, self._last_done = now_s, done
        if items > 0 and took_s > _KEPT_S:
            self._taken_s += took_s
            self._taken += items
        elif items > 0:
            self._quick_s += took_s
            self._quick += items
            if self._quick_s > _STEADY_S:
                self._taken_s += self._quick_s
                self._taken += self._quick
                self._quick_s, self._quick = 0.0, 0
        if not self._taken or done >= total:
            return ""
        return about(self._taken_s / self._taken * (total - done))
