"""Three planes through a volume that a person moves by hand, in the browser.

The voxels travel once, as messages that the page asks for, and are cut and drawn in
the page.  They are never part of the widget's state: a state is saved in notebooks,
and a notebook must not hold a patient's scan.  The page knows nothing of orientation:
what it gets stands upright (`labkit.views.orientation`).
"""

from pathlib import Path
from typing import Any, Protocol

import anywidget
import ipywidgets
import numpy as np
import traitlets
from IPython.display import display

from labkit.views.greys import Window, unit_suffix, windows
from labkit.views.orientation import ENDS, LPS, OBLIQUE_DEG, PLANES, turn_upright
from labkit.views.page_scripts import page_script
from labkit.views.picture import SKY, VERMILION, Picture
from labkit.views.planes import slices
from labkit.volume import Volume

SKY_RGB = list(bytes.fromhex(SKY.removeprefix("#")))
_PART_BYTES = 4 << 20
_SCRIPTS = (
    *("elements", "hands", "voxels", "contour", "windows"),
    *("plane", "brush", "pointer", "planes"),
)


class Stage(Protocol):
    """What the viewer needs of a stage."""

    @property
    def headless(self) -> bool:
        """Whether nobody is there to look."""


class LivePlanes(anywidget.AnyWidget):
    """Axial, coronal and sagittal plane with a common crosshair, drawn in the page.

    Parameters
    ----------
    volume : the scan.
    title : a heading, and the name a screen reader says.
    window : darkest and brightest grey value shown.
    threshold_hu : where a line is drawn, in the volume's unit; None draws none.
    """

    _esm = page_script(*_SCRIPTS)
    _css = Path(__file__).with_suffix(".css")

    scan = traitlets.Dict().tag(sync=True)
    """Size, place and words: all that the page must know beside the voxels."""
    at_ijk = traitlets.List(traitlets.Int()).tag(sync=True)
    """Where the planes cross: the upright voxel."""
    window = traitlets.List(traitlets.Float()).tag(sync=True)
    threshold_hu = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(
        self, volume: Volume, *, title: str, window: Window, threshold_hu: float | None
    ) -> None:
        turn = turn_upright(volume.direction)
        upright = turn.volume(volume)
        size = upright.voxels.shape[::-1]
        bytes_per_slice = 2 * size[0] * size[1]
        self._voxels = upright.voxels
        self._slices_per_part = max(1, _PART_BYTES // bytes_per_slice)
        self._parts = -(-size[2] // self._slices_per_part)
        presets = windows(volume)
        note = ""
        if turn.tilt_deg > OBLIQUE_DEG:
            note = f"Oblique scan: planes tilted by {turn.tilt_deg:.0f}°."
        super().__init__(
            scan={
                "title": title or "Scan",
                "note": note,
                "size": size,
                "spacing_mm": upright.spacing_mm.tolist(),
                "ijk_to_lps": upright.ijk_to_lps[:3].tolist(),
                "parts": self._parts,
                "bytes_per_part": bytes_per_slice * self._slices_per_part,
                "planes": [
                    {
                        "name": plane.name,
                        "across": plane.across,
                        "down": plane.down,
                        "through": plane.through,
                    }
                    for plane in PLANES
                ],
                "ends": ENDS,
                "lps": LPS,
                "unit": unit_suffix(volume),
                "range": [int(volume.voxels.min()), int(volume.voxels.max())],
                "windows": presets,
                "colours": {"line": VERMILION, "cross": SKY, "mask": SKY_RGB},
            },
            at_ijk=[round((n - 1) / 2) for n in size],
            window=list(window),
            threshold_hu=threshold_hu,
        )
        self.on_msg(self._answer)

    def _answer(self, _: object, asked: dict[str, Any], __: object) -> None:
        part = asked.get("part")
        if isinstance(part, int) and 0 <= part < self._parts:
            self.send({"part": part}, buffers=[self._part(part)])

    def _part(self, number: int) -> memoryview:
        """Whole upright slices as int16, little-endian: all k of a part, then j, then i."""
        first = number * self._slices_per_part
        voxels = self._voxels[first : first + self._slices_per_part]
        return np.ascontiguousarray(voxels, "<i2").data.cast("B")

    def __repr__(self) -> str:
        return "The same planes to move by hand: run this cell again."


class LivePicture(Picture):
    """A picture that a notebook shows as it is, and below it the same planes to move."""

    def __init__(self, picture: Picture, planes: ipywidgets.DOMWidget) -> None:
        super().__init__(picture.png, picture.alt)
        self.planes = planes

    def _ipython_display_(self) -> None:
        # two outputs: a notebook that is opened without a kernel still shows the picture
        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        display(self.planes)  # type: ignore[no-untyped-call]


def viewer(
    stage: Stage,
    volume: Volume,
    *,
    title: str = "",
    threshold_hu: float | None = None,
    window: Window | None = None,
) -> Picture:
    """Three planes of a volume: the picture of `slices`, and by hand planes to move below it.

    The planes follow the voxels, as in `slices`.  In the page: click to move the
    crosshair, wheel, sliders or keys for other planes, drag with the right
    button for the window.

    Parameters
    ----------
    stage : when it is headless, the picture is all.
    volume : the scan; it stays in memory as long as the kernel.
    title : a heading; no patient's name.
    threshold_hu : draws the line where the grey values cross it, in the volume's unit.
    window : darkest and brightest grey value shown; a usual one by default.
    """
    window = window or next(iter(windows(volume).values()))
    picture = slices(volume, threshold_hu=threshold_hu, title=title, window=window)
    if stage.headless:
        return picture
    planes = LivePlanes(volume, title=title, window=window, threshold_hu=threshold_hu)
    return LivePicture(picture, planes)
