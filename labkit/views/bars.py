"""How far a long step is: said by ``labkit run``, a bar for a person."""

import time
from collections.abc import Callable, Sequence
from html import escape
from typing import Protocol

import ipywidgets
from IPython.display import display

from labkit.pace import Pace
from labkit.views.presence import somebody_looks_on
from labkit.views.print_style import STYLE
from labkit.views.stills import PICTURE_S, asked_still, figure_of, still


class Stage(Protocol):
    """What is needed of a stage."""

    @property
    def headless(self) -> bool:
        """Whether nobody is there to look."""

    def tell(self, progress: object, /) -> None:
        """Say how far a long step is."""


def progress(stage: Stage, what: str) -> Callable[[int, int], None]:
    """What a long step calls with (done, total); ``what`` is said, as in "reading images"."""
    bar, words = None, None
    if not stage.headless:
        look = {"description_width": "12em"}
        bar = ipywidgets.IntProgress(min=0, max=100, description=what, style=look)
        words = ipywidgets.Label()  # what a bar shows, for who cannot see it
        display(ipywidgets.HBox([bar, words]))  # type: ignore[no-untyped-call]
    pace = Pace()
    said = -1

    def on_progress(done: int, total: int) -> None:
        nonlocal said
        left = pace.left(done, total)
        percent = 100 * done // max(total, 1)
        if percent == said:
            return
        said = percent
        if bar is None or words is None:
            stage.tell(f"{what}: {done} of {total}{left}")
        else:
            bar.value = percent
            words.value = f"{percent} %{left}"

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
    def is_alarm(self) -> bool:
        """Whether somebody should look at the printer."""

    @property
    def heaters(self) -> Sequence[Heater]:
        """Their temperatures."""


def printing(
    stage: Stage,
    *,
    camera: Callable[[], bytes | None] | None = None,
    planned: bytes | None = None,
) -> Callable[[PrintProgress], None]:
    """What a print calls with its progress: a bar, the layer, time left and temperatures.

    Parameters
    ----------
    stage : when it is headless, words are all, as wherever nobody looks on: the state of
        widgets does not belong into an executed notebook.
    camera : gives a still of the printer's camera, or None.
    planned : what the G-code is to become, shown where there is no still.
    """
    if stage.headless or not somebody_looks_on():
        return stage.tell
    bar = ipywidgets.FloatProgress(min=0, max=100, description="printing")
    words, alarms, picture = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
    box = ipywidgets.VBox([ipywidgets.HTML(STYLE), bar, words, alarms, picture])
    box.add_class("labkit-fleet")
    display(box)  # type: ignore[no-untyped-call]
    alarmed: list[str] = []
    drawn_at = -PICTURE_S

    def on_progress(progress: PrintProgress) -> None:
        nonlocal drawn_at
        bar.value = progress.done_percent
        layer = f"layer {progress.layer} of {progress.layers}" if progress.layers else ""
        heat = ", ".join(
            f"{each.name} {each.actual_c:.0f} of {each.target_c:.0f} °C"
            for each in progress.heaters
        )
        told = str(progress)
        lines = filter(None, [told, "" if layer in told else layer, heat])
        words.value = "".join(f"<p>{escape(line)}</p>" for line in lines)
        if progress.is_alarm and str(progress) not in alarmed:
            alarmed.append(str(progress))
            alarms.value = "".join(
                f'<p class="labkit-alarm" role="alert">▲ {escape(told)}</p>' for told in alarmed
            )
        if time.monotonic() - drawn_at >= PICTURE_S:
            drawn_at = time.monotonic()
            seen = asked_still(camera)
            caption = "camera" if seen else "as planned: no camera"
            picture.value = figure_of(still(seen, planned, "this print", layer), caption, layer)

    return on_progress
