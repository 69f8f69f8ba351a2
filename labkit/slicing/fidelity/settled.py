"""Whether temperatures, fan and factors stay as they are set, while the part is printed."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from labkit.equipment import MaterialProfile
from labkit.slicing.deviation import Deviation, in_layers, runs
from labkit.slicing.layering import Layers
from labkit.slicing.setpoints import (
    bed_c,
    factor_percent,
    fan_percent,
    hotend_c,
    stated_number,
)
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]

SETTLED = 2
"""Layers after which temperatures stay: PrusaSlicer changes them once, at the second."""

QUICK = 0.8
"""Of the time below which the slicer switches the fan on: no doubt that it should be on."""

_ABOVE_MM = 0.01


def settled(
    toolpath: Toolpath,
    layers: Layers,
    settings: dict[str, str],
    material: MaterialProfile | None,
) -> Iterator[Deviation]:
    """Temperatures, fan and factors that change in the middle, or are not as stated."""
    printing = layers.of_move >= 0
    lowest = stated_number(settings, "first_layer_height") or layers.z_mm[0]
    number = np.where(printing, layers.of_move + int(layers.z_mm[0] > lowest + _ABOVE_MM), -1)
    for name, values, key, chosen in (
        ("hotend", hotend_c(toolpath), "temperature", material and material.hotend_c),
        ("bed", bed_c(toolpath), "bed_temperature", material and material.bed_c),
    ):
        for first, usual, stated in (
            (True, None, stated_number(settings, f"first_layer_{key}")),
            (False, chosen, stated_number(settings, key)),
        ):
            rows = np.flatnonzero(printing & ((number < 1) == first))
            if not first:
                rows = rows[number[rows] >= SETTLED]
            if not len(rows):
                continue
            wanted = usual or stated or (None if first else float(np.median(values[rows])))
            if wanted is None:
                continue
            yield from _not_as(
                toolpath, layers, rows, values, wanted, 0.0, "temperature", name, "°C"
            )
    yield from _fan(toolpath, layers, settings)
    for name, what in (("M221", "flow"), ("M220", "speed")):
        values = factor_percent(toolpath, name)
        rows = np.flatnonzero(printing)
        if not len(rows):
            continue
        start = float(values[rows[0]])
        yield from _not_as(toolpath, layers, rows, values, start, 0.0, "factor", what, "%")
        if start != 100:
            yield Deviation(
                "warn", "factor", f"{name} sets the {what} to {start:g} %", start, 100, "%",
                line=int(toolpath.line[rows[0]]),
            )  # fmt: skip


def _fan(toolpath: Toolpath, layers: Layers, settings: dict[str, str]) -> Iterator[Deviation]:
    """Layers whose fan stands still though those before had it, or though the settings ask.

    PrusaSlicer leaves the fan off in layers that take longer than ``fan_below_layer_time``.
    The time of a layer is distance over speed: less than it really takes.
    """
    speed = fan_percent(toolpath)
    rows = np.flatnonzero(layers.of_move >= 0)
    layer = layers.of_move[rows]
    length = toolpath.distance_mm[rows]
    on = np.bincount(layer, length * (speed[rows] > 0), len(layers))
    share = on / np.maximum(np.bincount(layer, length, len(layers)), 1e-9)
    least = stated_number(settings, "min_fan_speed")
    cools = settings.get("cooling", "1") != "0" and least != 0
    seconds = _seconds(toolpath, layers)
    below = stated_number(settings, "fan_below_layer_time")
    if least is not None and below is not None:
        always = settings.get("fan_always_on") == "1"
        wants = cools & (always | (seconds < QUICK * below))
        late = max(
            stated_number(settings, "disable_fan_first_layers") or 0,
            stated_number(settings, "full_fan_speed_layer") or 0,
        )
        wants &= np.arange(len(layers)) > late
    else:
        started = np.maximum.accumulate(share > 0.9)
        wants = started & np.roll(started, 1)
        wants[:1] = False
    for first, count in runs(np.flatnonzero(wants & (share < 0.5))):
        yield in_layers(
            layers,
            "fan",
            first,
            count,
            100 * float(share[first]),
            50,
            "% of the way",
            f"the fan stands still in layers that should be cooled: {count}",
        )
    if least is not None and cools:
        slow = np.flatnonzero((speed[rows] > 0) & (speed[rows] < least - 2) & wants[layer])
        if len(slow):
            yield from _not_as(toolpath, layers, rows[slow], speed, least, 2.0, "fan", "fan", "%")


def _seconds(toolpath: Toolpath, layers: Layers) -> Array:
    """(n,) float64: distance over speed of each layer as the slicer marked it, with its travel.

    So reckons PrusaSlicer itself where it decides on the fan (``CoolingBuffer.cpp``).
    """
    marks = toolpath.layer - toolpath.layer.min()
    distance = np.maximum(toolpath.distance_mm, np.abs(toolpath.extruded_mm))
    spent = 60 * distance / np.maximum(toolpath.feed_mm_min, 1.0)
    until = np.cumsum(np.bincount(marks, spent))
    mine = marks[np.searchsorted(toolpath.line, layers.first_line)]
    # layers of supports alone count to the next layer of the part
    before = np.searchsorted(np.unique(mine), mine) - 1
    last = np.unique(mine)[before]
    found: Array = np.where(before >= 0, until[mine] - until[last], until[mine])
    return found


def _not_as(
    toolpath: Toolpath,
    layers: Layers,
    rows: npt.NDArray[np.int64],
    values: Array,
    wanted: float,
    limit: float,
    rule: str,
    name: str,
    unit: str,
) -> Iterator[Deviation]:
    off = np.abs(values[rows] - wanted) > limit
    if not off.any():
        return
    bad = rows[off]
    at = int(bad[np.abs(values[bad] - wanted).argmax()])
    numbers = runs(layers.of_move[bad])
    yield in_layers(
        layers,
        rule,
        numbers[0][0],
        numbers[0][1],
        float(values[at] - wanted),
        limit,
        unit,
        f"{name} at {values[at]:.4g} {unit} instead of {wanted:.4g} {unit}",
        line=int(toolpath.line[bad[0]]),
    )
