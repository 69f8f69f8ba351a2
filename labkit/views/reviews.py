"""A mask corrected by hand: threshold, brush, eraser and seeds on three live planes.

The page shows the mask and sends what the hand did; the kernel draws, and sends back what
has changed.  So there is one way in which a stroke becomes voxels, by hand and in a replay.
"""

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Protocol

import ipywidgets
import numpy as np
import numpy.typing as npt
import traitlets
import trimesh
from pydantic import ValidationError

from labkit.errors import LabkitError
from labkit.parameters import places
from labkit.views.deciding import Deciding, said
from labkit.views.greys import windows
from labkit.views.live_planes import LivePicture, LivePlanes
from labkit.views.orientation import PLANES, turn_upright
from labkit.views.picture import Picture
from labkit.views.planes import slices
from labkit.views.surfaces import surface
from labkit.volume import Volume

Box = tuple[slice, slice, slice]

_PART_VOXELS = 32 << 20
"""Of a mask in one message: 4 MB, a bit for each."""

_HERE = "the review of the mask"

_TOOLS = (
    ("move the planes", "move"),
    ("add", "add"),
    ("erase", "erase"),
    ("place seeds", "seed"),
)


class Stage(Deciding, Protocol):
    """What the review needs of a stage."""

    def hand_made(self, name: str, /) -> Path:
        """Where a product goes that a person makes."""


class Review(Protocol):
    """What is reviewed: `labkit.segmentation.Review`."""

    @property
    def volume(self) -> Volume:
        """The scan."""

    @property
    def draft(self) -> npt.NDArray[np.uint8]:
        """(k, j, i) uint8: the mask with all that was drawn so far."""

    @property
    def said(self) -> str:
        """How far the person is, in words."""

    @property
    def is_open(self) -> bool:
        """Whether something was drawn and not used."""

    def write(self, path: Path, /) -> None:
        """Write what was drawn and used, if anything was."""

    def start(self) -> None:
        """The person begins."""

    def draw(self, **stroke: Any) -> Box:
        """Draw a stroke; the part of the mask that may have changed."""

    def undo(self) -> Box:
        """Take the last stroke back; the part of the mask that may have changed."""

    def decided(self, parameters: Any) -> Any:
        """The parameters with the threshold that they come to."""

    def consider(self, values: dict[str, Any], /) -> None:
        """The person has set these parameters, and not accepted them yet."""

    def make(self, parameters: Any) -> None:
        """Make the mask anew, with the strokes drawn into it."""

    def accept(self) -> None:
        """The person is content with the draft."""

    def preview(self) -> trimesh.Trimesh:
        """A surface to look at, LPS mm."""


class ReviewPlanes(LivePlanes):
    """Three planes with a mask over them, and a brush."""

    tool = traitlets.Unicode("move").tag(sync=True)
    brush = traitlets.Unicode("disc").tag(sync=True)
    radius_mm = traitlets.Float(3.0).tag(sync=True)

    def __init__(self, volume: Volume, on_page: Callable[[dict[str, Any]], None], **look: Any):
        super().__init__(volume, **look)
        self._turn = turn_upright(volume.direction)
        self._on_page = on_page

    def _answer(self, widget: object, asked: dict[str, Any], buffers: object) -> None:
        super()._answer(widget, asked, buffers)
        if "part" not in asked:
            self._on_page(asked)

    def show_mask(self, mask: npt.NDArray[np.uint8], box: Box | None = None) -> None:
        """Send the page a part of the mask (k, j, i), or all of it."""
        marked = np.zeros(3, int), np.array(mask.shape)
        if box is not None:
            marked = np.array([part.start for part in box]), np.array([part.stop for part in box])
        upright = self._turn.values(mask)
        low, high = (np.array([ends[2 - axis] for axis in self._turn.axes]) for ends in marked)
        size = np.array(upright.shape[::-1])
        flipped = np.array(self._turn.flipped)
        low, high = np.where(flipped, size - high, low), np.where(flipped, size - low, high)
        layers = max(1, int(_PART_VOXELS // max(np.prod((high - low)[:2]), 1)))
        for k in range(int(low[2]), int(high[2]), layers):
            end = min(k + layers, int(high[2]))
            part = upright[k:end, low[1] : high[1], low[0] : high[0]]
            ends = [int(n) for n in (low[0], high[0], low[1], high[1], k, end)]
            bits = np.packbits(part.ravel() > 0, bitorder="little")
            self.send({"box": ends}, buffers=[bits.data])

    def normal_lps(self, plane: str) -> list[float]:
        """The unit vector across one of the planes."""
        through = next(each.through for each in PLANES if each.name == plane)
        along = np.array(self.scan["ijk_to_lps"])[:, through]
        normal: list[float] = (along / np.linalg.norm(along)).tolist()
        return normal

    @property
    def crosshair_lps_mm(self) -> list[float]:
        """Where the planes cross."""
        matrix = np.array(self.scan["ijk_to_lps"])
        at: list[float] = (matrix @ [*self.at_ijk, 1]).tolist()
        return at

    def __repr__(self) -> str:
        return "The review by hand: run this cell again."


def review(stage: Stage, session: Review, *, title: str = "Review") -> Picture:
    """The scan with the line of the threshold; by hand a review of the mask below it.

    In the page: the threshold's line follows its slider; *Mask* makes the mask anew with that
    threshold; brush and eraser correct it, *Undo* takes the last stroke back.  The clock of
    the review runs from *Start*, or the first stroke, to *Use this mask*.  Nothing is decided
    before that is pressed.

    Parameters
    ----------
    stage : when it is headless, the picture is all.
    session : what is reviewed.
    title : a heading; no patient's name.
    """
    volume = session.volume
    threshold_hu = float(session.decided(stage.parameters).threshold_hu)
    window = next(iter(windows(volume).values()))
    picture = slices(volume, threshold_hu=threshold_hu, title=title, window=window)
    if stage.headless:
        return picture
    return LivePicture(picture, _Desk(stage, session, title).box)


class _Desk:
    """The planes with their tools, and what each of them does."""

    def __init__(self, stage: Stage, session: Review, title: str) -> None:
        self.stage, self.session = stage, session
        self.planes = ReviewPlanes(
            session.volume,
            self._on_page,
            title=title,
            window=next(iter(windows(session.volume).values())),
            threshold_hu=float(session.decided(stage.parameters).threshold_hu),
        )
        self.seeds_lps_mm = list(places(stage.parameters.seeds_lps_mm))
        self.planes.observe(lambda _: self._consider(), "threshold_hu")
        wide = {"style": {"description_width": "8em"}}
        tool = ipywidgets.Dropdown(options=_TOOLS, description="tool", **wide)
        brush = ipywidgets.Dropdown(options=("disc", "ball"), description="brush", **wide)
        radius = ipywidgets.BoundedFloatText(
            value=3.0, min=0.1, max=100.0, step=0.5, description="radius (mm)", **wide
        )
        for entry, name in ((tool, "tool"), (brush, "brush"), (radius, "radius_mm")):
            traitlets.link((entry, "value"), (self.planes, name))
        self.answer = ipywidgets.HTML(said("Press Start, or draw: the time is noted."))
        self.picture = ipywidgets.HTML()
        actions = {
            "Start": session.start,
            "Mask": self._remake,
            "Undo": lambda: self._redraw(session.undo()),
            "Draw at the crosshair": self._at_crosshair,
            "Forget the seeds": lambda: self._seed([]),
            "Preview in 3D": self._preview,
        }
        buttons = [self._button(name, act) for name, act in actions.items()]
        self.use = ipywidgets.Button(description="Use this mask", button_style="primary")
        self.use.on_click(lambda _: self._use())
        self.box = ipywidgets.VBox(
            [
                ipywidgets.HBox([tool, brush, radius]),
                self.planes,
                ipywidgets.HBox([*buttons, self.use]),
                self.answer,
                self.picture,
            ]
        )

    def _button(self, name: str, act: Callable[[], None]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=name, layout={"width": "auto"})
        button.on_click(lambda _: self._do(act))
        return button

    def _do(self, act: Callable[[], None]) -> None:
        """Do what the hand asked for, and say how far it is; a refusal is shown as text."""
        self.session.start()
        self._show(act)

    def _show(self, act: Callable[[], None]) -> None:
        try:
            act()
        except LabkitError as error:
            self.answer.value = said(str(error))
        except ValidationError as error:
            self.answer.value = said(f"Not drawn: {error.errors()[0]['msg']}")
        else:
            self.answer.value = said(self.session.said)
        self._weigh()

    def _on_page(self, asked: dict[str, Any]) -> None:
        if "mask" in asked:
            self._show(self._remake)
        elif "stroke" in asked:
            self._do(lambda: self._draw(dict(asked["stroke"])))
        elif "seed" in asked:
            x, y, z = asked["seed"]
            self._do(lambda: self._seed([*self.seeds_lps_mm, (x, y, z)]))

    def _values(self) -> dict[str, Any]:
        """The parameters that are set here, where they are not the stage's already."""
        values: dict[str, Any] = {}
        line = self.planes.threshold_hu
        now_hu = self.session.decided(self.stage.parameters).threshold_hu
        if line is not None and round(line) != now_hu:
            values = {"threshold_hu": round(line), "threshold_from": "set"}
        if self.seeds_lps_mm != list(places(self.stage.parameters.seeds_lps_mm)):
            seeds = [", ".join(f"{mm:.2f}" for mm in seed) for seed in self.seeds_lps_mm]
            values["seeds_lps_mm"] = "; ".join(seeds)
        return values

    def _make(self) -> None:
        """The mask by the stage's decisions, and by those made here."""
        self.session.consider(self._values())
        self.session.make(self.stage.parameters.model_copy(update=self._values()))

    def _remake(self) -> None:
        self._make()
        self.planes.show_mask(self.session.draft)

    def _draw(self, stroke: dict[str, Any]) -> None:
        normal = self.planes.normal_lps(str(stroke.get("plane")))
        self._redraw(self.session.draw(**{**stroke, "normal_lps": normal}))

    def _at_crosshair(self) -> None:
        mode = self.planes.tool if self.planes.tool in ("add", "erase") else "add"
        look = {"mode": mode, "brush": self.planes.brush, "radius_mm": self.planes.radius_mm}
        self._draw({**look, "plane": "axial", "points_lps_mm": [self.planes.crosshair_lps_mm]})

    def _redraw(self, box: Box) -> None:
        self.planes.show_mask(self.session.draft, box)

    def _seed(self, seeds_lps_mm: list[tuple[float, float, float]]) -> None:
        before, self.seeds_lps_mm = self.seeds_lps_mm, seeds_lps_mm
        try:
            self._remake()
        except LabkitError:  # a seed beside the structure
            self.seeds_lps_mm = before
            self._make()
            raise

    def _preview(self) -> None:
        shown = surface(self.session.preview(), title="Preview, not the final surface")
        png = base64.b64encode(shown.png).decode()
        alt = escape(shown.alt, quote=True)
        self.picture.value = f'<img src="data:image/png;base64,{png}" alt="{alt}">'

    def _use(self) -> None:
        try:
            self._remake()
            answer = self.stage.accept(self._values())
            self.session.accept()
            self.session.write(self.stage.hand_made("strokes.json"))
        except LabkitError as error:
            self.answer.value = said(f"Not used. {error}")
        else:
            self.answer.value = said(f"{answer} {self.session.said}")
        self._weigh()

    def _consider(self) -> None:
        self.session.consider(self._values())
        self._weigh()

    def _weigh(self) -> None:
        """Note with the stage what is set or drawn here and not used yet."""
        changed = [f"{name} = {value}" for name, value in self._values().items()]
        if self.session.is_open:
            changed.append("strokes")
        if changed:
            self.stage.left_open[_HERE] = ", ".join(changed)
        else:
            self.stage.left_open.pop(_HERE, None)
