"""How far a long step is and how long it still takes, in words that need no widget."""

import time
from collections.abc import Callable

from IPython.display import display

from labkit.pace import Pace
from labkit.views.words import message


def countdown(
    what: str, *, clock_s: Callable[[], float] = time.monotonic
) -> Callable[[int, int], None]:
    """What a long step calls with (done, total): one line says it, and the time left."""
    line = display(message(what), display_id=True)  # type: ignore[no-untyped-call]
    pace = Pace(clock_s)

    def on_progress(done: int, total: int) -> None:
        left = pace.left(done, total)
        line.update(message(f"{what}: {done} of {total}{left}"))

    return on_progress
