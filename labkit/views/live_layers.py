"""The layers of a print, one at a time, by a slider in the browser.

The page asks for the lines of the layer it shows and draws them with their true width.
They travel as messages and are never part of the widget's state.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets

from labkit.slicing.features import ROLES, role_of
from labkit.slicing.toolpath import Toolpath
from labkit.views.page_scripts import page_script


class LiveLayers(anywidget.AnyWidget):
    """One layer from above, drawn in the page; slider, wheel and keys go through all.

    Parameters
    ----------
    moves : mm, the printer's own axes.
    lines : (n,) which of them lay something down, in order.
    colours : of each role.
    title : a heading, and the name a screen reader says.
    """

    _esm = page_script("elements", "hands", "layers")
    _css = Path(__file__).with_suffix(".css")

    facts = traitlets.Dict().tag(sync=True)
    """What the page must know of all layers: bounds, heights, filament, colours."""
    layer = traitlets.Int().tag(sync=True)
    """The layer shown, from 0."""

    def __init__(
        self,
        moves: Toolpath,
        lines: npt.NDArray[np.intp],
        *,
        colours: Mapping[Any, str],
        title: str,
    ) -> None:
        numbers, begin = np.unique(moves.layer[lines], return_index=True)
        order = np.argsort(begin)
        self._begin = np.append(begin[order], len(lines))
        role = np.array([ROLES.index(role_of(name)) for name in moves.features])
        self._rows = np.column_stack(
            [
                moves.start[lines, :2],
                moves.end[lines, :2],
                moves.width_mm[lines],
                role[moves.feature[lines]],
            ]
        ).astype("<f4")
        filament = np.add.reduceat(moves.extruded_mm[lines], self._begin[:-1])
        xy = self._rows[:, :4].reshape(-1, 2)
        super().__init__(
            facts={
                "title": title or "Tool path",
                "numbers": (numbers[order] + 1).tolist(),
                "z_mm": moves.end[lines[self._begin[1:] - 1], 2].round(3).tolist(),
                "filament_mm": filament.round(2).tolist(),
                "low_mm": xy.min(axis=0).round(3).tolist(),
                "high_mm": xy.max(axis=0).round(3).tolist(),
                "roles": [{"name": name, "colour": colours[name]} for name in ROLES],
            },
            layer=(len(self._begin) - 1) // 2,
        )
        self.on_msg(self._answer)

    def _answer(self, _: object, asked: dict[str, Any], __: object) -> None:
        layer = asked.get("layer")
        if isinstance(layer, int) and 0 <= layer < len(self._begin) - 1:
            rows = self._rows[self._begin[layer] : self._begin[layer + 1]]
            self.send({"layer": layer}, buffers=[np.ascontiguousarray(rows).data.cast("B")])

    def __repr__(self) -> str:
        return "The layers one by one, by a slider: run this cell again."
