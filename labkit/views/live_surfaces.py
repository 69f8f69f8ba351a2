"""A surface that a person turns and cuts open by hand, in the browser.

k3d draws a lighter copy of the mesh; the controls around it are plain HTML fields.  The cut
is made in the page, so that it follows the hand.  The copy is part of the widgets' state:
JupyterLab does not save that, and where nobody looks on there is no widget at all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import anywidget
import ipywidgets
import numpy as np
import traitlets
import trimesh
from k3d.plot import Plot

from labkit.views.live_planes import LivePicture
from labkit.views.picture import Picture
from labkit.views.presence import somebody_looks_on
from labkit.views.scenes import ENDS, WAYS, Colours, display_mesh, scene_of
from labkit.views.surfaces import Frame, Part, colours_of, surface

_SEEN_FROM = {
    "LPS": ("the front", "the patient's left", "the back", "the patient's right"),
    "plate": ("the front", "the right", "the back", "the left"),
}
_STEPS = 200
"""Of the slider that moves the cut, from one end of the surface to the other; about."""


class Stage(Protocol):
    """What the view needs of a stage."""

    @property
    def headless(self) -> bool:
        """Whether nobody is there to look."""


class LiveSurface(anywidget.AnyWidget):
    """A surface with its sides and its size, turned and cut by labelled controls.

    Parameters
    ----------
    mesh : vertices in mm in ``frame``.
    colours : (n, 3) uint8, RGB, one per vertex; or one for all, (1, 3).
    frame : the patient's (L, P, S) or the printer's plate (X, Y, Z).
    title : a heading, and the name a screen reader says.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")

    scene = traitlets.Instance(Plot).tag(sync=True, **ipywidgets.widget_serialization)
    sides: Any = traitlets.List().tag(sync=True, **ipywidgets.widget_serialization)
    """The words at the ends of each axis: the page hides those behind the surface."""
    facts = traitlets.Dict().tag(sync=True)
    """What the page must know beside the scene: words, ends and size of each axis."""
    axis = traitlets.Int(-1).tag(sync=True)
    """The axis that is cut across; −1 cuts nothing."""
    at_mm = traitlets.Float().tag(sync=True)
    """Where it is cut, along that axis."""
    flipped = traitlets.Bool(False).tag(sync=True)
    """Whether the side with the higher coordinates is shown."""
    kept: Any = traitlets.List().tag(sync=True)
    """Further half-spaces, outside of which nothing is drawn: lists of a, b, c and d, where
    a x + b y + c z + d ≥ 0, mm."""

    def __init__(
        self, mesh: trimesh.Trimesh, colours: Colours, *, frame: Frame, title: str = ""
    ) -> None:
        self.shown = display_mesh(mesh)
        if len(colours) > 1:
            colours = self.shown.colours(mesh, colours)
        low, high = np.asarray(mesh.bounds, float)
        scene, sides = scene_of(self.shown, colours, frame)
        super().__init__(
            scene=scene,
            sides=sides,
            facts={
                "title": title or "Surface",
                "frame": frame,
                "axes": [
                    {"name": name, "ends": ends, "low": first, "high": last}
                    for name, ends, first, last in zip(
                        WAYS[frame], ENDS[frame], low.tolist(), high.tolist(), strict=True
                    )
                ],
                "seen_from": [*_SEEN_FROM[frame], "above", "below"],
                "reach_mm": max(float(np.linalg.norm(high - low)) / 2, 1e-3),
                "step_mm": _step_mm(float((high - low).max())),
            },
        )

    def __repr__(self) -> str:
        return "The same surface to turn and cut by hand: run this cell again."


def turnable(
    stage: Stage,
    mesh: trimesh.Trimesh,
    *,
    frame: Frame = "LPS",
    title: str = "",
    parts: Mapping[str, Part] | None = None,
) -> Picture:
    """The picture of `surface`, and by hand the same surface to turn and cut below it.

    In the page: drag or the sliders turn it, the wheel or a slider brings it nearer, an axis
    and a slider in mm cut it open.  It is a lighter copy, for looking only.

    Parameters
    ----------
    stage : when it is headless, or nobody looks on, the picture is all.
    mesh : vertices in mm in ``frame``.
    frame : the patient's (letters R L A P S I) or the printer's plate (X Y Z).
    title : a heading; no patient's name.
    parts : by name, the bodies that the surface is made of, each with its red, green and
        blue (0 to 1).
    """
    picture = surface(mesh, frame=frame, title=title, parts=parts)
    if stage.headless or not somebody_looks_on():
        return picture
    colours = colours_of(mesh, (parts or {}).values())
    return LivePicture(picture, LiveSurface(mesh, colours, frame=frame, title=title))


def _step_mm(length_mm: float) -> float:
    """A round step of which a length takes about `_STEPS`, 0.01 to 10 mm."""
    steps = [n * 10.0**power for power in range(-2, 1) for n in (1, 2, 5)] + [10.0]
    return min(steps, key=lambda step: abs(np.log(max(length_mm, 1e-3) / _STEPS / step)))
