"""How far a long step is: said by ``labkit run``, a bar for a person."""

from collections.abc import Callable, Sequence
from html import escape
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


class Heater(Protocol):
    """What is needed of a heater."""

    @property
    def name(self) -> str:
        """As the printer calls it."""

    @property
    def actual_c(self) -> float:
        """What it has, °C."""

    @property
    def target_c(self) -> float:
        """What it is to have, °C."""


class PrintProgress(Protocol):
    """What is needed of the progress of a print; its words say the sentence and the rest."""

    @property
    def done_percent(self) -> float:
        """How much of the file is done."""

    @property
    def layer(self) -> int:
        """From 1."""

    @property
    def layers(self) -> int:
        """0 where they are not known."""

    @property
    def heaters(self) -> Sequence[Heater]:
        """Their temperatures."""


def printing(stage: Stage) -> Callable[[PrintProgress], None]:
    """What a print calls with its progress: a bar, the layer, time left and temperatures."""
    if stage.headless:
        return stage.tell
    bar = ipywidgets.FloatProgress(min=0, max=100, description="printing")
    words = ipywidgets.HTML()
    display(ipywidgets.VBox([bar, words]))  # type: ignore[no-untyped-call]

    def on_progress(progress: PrintProgress) -> None:
        bar.value = progress.done_percent
        lines = [str(progress)]
        if progress.layers:
            lines.append(f"layer {progress.layer} of {progress.layers}")
        lines += [
            f"{each.name} {each.actual_c:.0f} of {each.target_c:.0f} °C"
            for each in progress.heaters
        ]
        words.value = "<br>".join(map(escape, lines))

    return on_progress
