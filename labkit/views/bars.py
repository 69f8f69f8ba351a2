"""How far a long step is: said by ``labkit run``, a bar for a person."""

from collections.abc import Callable
from typing import Protocol

import ipywidgets
from IPython.display import display


class Stage(Protocol):
    """What is needed of a stage."""

    @property
    def headless(self) -> bool:
        """Whether nobody is there to look."""

    def tell(self, progress: object, /) -> None:
        """Say how far a long step is."""


def progress(stage: Stage, what: str) -> Callable[[int, int], None]:
    """What a long step calls with (done, total); ``what`` is said, as in "reading images"."""
    bar: ipywidgets.IntProgress | None = None
    if not stage.headless:
        look = {"description_width": "12em"}
        bar = ipywidgets.IntProgress(min=0, max=100, description=what, style=look)
        display(bar)  # type: ignore[no-untyped-call]
    said = -1

    def on_progress(done: int, total: int) -> None:
        nonlocal said
        percent = 100 * done // max(total, 1)
        if percent == said:
            return
        said = percent
        if bar is None:
            stage.tell(f"{what}: {done} of {total}")
        else:
            bar.value = percent

    return on_progress
