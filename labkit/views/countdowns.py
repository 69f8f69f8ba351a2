"""How far a long step is and how long it still takes, in words that need no widget."""

import time
from collections.abc import Callable

from IPython.display import display

from labkit.views.words import message

_KEPT_S = 0.2
"""What is done sooner was done before, and tells nothing of the rest."""


def countdown(
    what: str, *, clock_s: Callable[[], float] = time.monotonic
) -> Callable[[int, int], None]:
    """What a long step calls with (done, total): one line says it, and the time left."""
    line = display(message(what), display_id=True)  # type: ignore[no-untyped-call]
    last_s = clock_s()
    taken_s: list[float] = []

    def on_progress(done: int, total: int) -> None:
        nonlocal last_s
        now_s = clock_s()
        if done and now_s - last_s > _KEPT_S:
            taken_s.append(now_s - last_s)
        last_s = now_s
        words = f"{what}: {done} of {total}"
        if taken_s and done < total:
            words += f", about {sum(taken_s) / len(taken_s) * (total - done):.0f} s left"
        line.update(message(words))

    return on_progress
