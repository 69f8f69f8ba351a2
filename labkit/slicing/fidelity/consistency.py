"""Whether a tool path fits itself: plastic and lines, order of the layers, nothing beside it.

Nothing here needs the part or a second file.  What a slicer writes fits to a thousandth, so
that what was altered by hand shows.  Limits without a source are the project's own, from the
spread in files of PrusaSlicer 2.5 (``benchmarks/tamper.py``).
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from labkit.slicing.deviation import Deviation, in_layers, runs
from labkit.slicing.features import role_of
from labkit.slicing.layering import Layers
from labkit.slicing.setpoints import stated_number
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FLOW_LAYER = 0.03
"""Of one feature in one layer, plastic against its lines; files of PrusaSlicer: 0.01."""

FLOW_LINE = 0.10
FLOW_LINE_MM = 0.5
"""Together longer than this in one layer; files of PrusaSlicer: none off by more than 10 %."""

BRIDGE_FLOW = (0.85, 1.25)
"""A line over air is a round thread; PrusaSlicer states its width in two digits."""

ROUNDED_E_MM = 0.0006
"""Filament: half of the last digit where E has three of them."""

BLOB_MM = 0.5
"""Filament pushed on the spot beyond what was pulled back."""

LAYER_STEP_MM = 0.02
BELOW_MM = 0.01


def line_areas(width_mm: Array, height_mm: Array) -> Array:
    """(n,) float64, mm²: the cross-section of lines, a rectangle with half-round sides.

    h (w − h) + π h² / 4, as PrusaSlicer and Orca reckon
    (help.prusa3d.com, "Flow math"; Slic3r manual, "Flow Math").
    """
    area: Array = height_mm * (width_mm - height_mm) + math.pi * height_mm**2 / 4
    return area


def flow(
    toolpath: Toolpath,
    layers: Layers,
    filament_mm2: float,
    settings: dict[str, str],
    chosen: Mask,
) -> Iterator[Deviation]:
    """Lines that get more or less plastic than their width, height and length ask for.

    ``filament_mm2`` is the cross-section of the filament; ``chosen`` what is on the part.
    """
    width = toolpath.width_mm.astype(np.float64)
    height = toolpath.height_mm.astype(np.float64)
    rows = np.flatnonzero(chosen & (width > 0) & (height > 0))
    if not len(rows):
        return
    factor = stated_number(settings, "extrusion_multiplier") or 1.0
    asked = factor * (line_areas(width, height) * toolpath.distance_mm)[rows]
    pushed = toolpath.extruded_mm[rows] * filament_mm2
    names = toolpath.features
    airy = np.array([_over_air(name) for name in names])[toolpath.feature[rows]]
    slack = ROUNDED_E_MM * filament_mm2
    over, under = pushed - asked - slack, asked - pushed - slack
    bad = np.where(
        airy,
        (over > (BRIDGE_FLOW[1] - 1) * asked) | (under > (1 - BRIDGE_FLOW[0]) * asked),
        (over > FLOW_LINE * asked) | (under > FLOW_LINE * asked),
    )
    layer = layers.of_move[rows]
    length = toolpath.distance_mm[rows]
    off_mm = np.bincount(layer[bad], length[bad], len(layers))
    for first, count in runs(np.flatnonzero(off_mm > FLOW_LINE_MM)):
        inside = bad & (layer >= first) & (layer < first + count)
        at = np.flatnonzero(inside)[0]
        ratio = float(pushed[inside].sum() / asked[inside].sum())
        longest = float(off_mm[first : first + count].max())
        yield in_layers(
            layers,
            "flow",
            first,
            count,
            100 * (ratio - 1),
            100 * FLOW_LINE,
            "%",
            f"{longest:.1f} mm of lines in a layer get {100 * ratio:.0f} % of the plastic that "
            "their width and height ask for",
            _middle(toolpath, int(rows[at])),
            line=int(toolpath.line[rows[at]]),
        )
    yield from _flow_of_layers(toolpath, layers, rows[~airy], pushed[~airy], asked[~airy])


def _flow_of_layers(
    toolpath: Toolpath, layers: Layers, rows: npt.NDArray[np.int64], pushed: Array, asked: Array
) -> Iterator[Deviation]:
    key = toolpath.feature[rows].astype(np.int64) * len(layers) + layers.of_move[rows]
    size = len(toolpath.features) * len(layers)
    given, wanted = np.bincount(key, pushed, size), np.bincount(key, asked, size)
    number = np.bincount(key, minlength=size)
    # each move may be rounded by half a digit, which adds up as a random walk
    spread = 2 * ROUNDED_E_MM * np.sqrt(number) * (pushed.sum() / max(asked.sum(), 1e-9))
    bad = np.abs(given - wanted) > FLOW_LAYER * wanted + spread
    for feature in np.unique(np.flatnonzero(bad) // max(len(layers), 1)):
        at = slice(feature * len(layers), (feature + 1) * len(layers))
        for first, count in runs(np.flatnonzero(bad[at])):
            part = slice(at.start + first, at.start + first + count)
            ratio = float(given[part].sum() / wanted[part].sum())
            name = toolpath.features[feature]
            yield in_layers(
                layers,
                "flow",
                first,
                count,
                100 * (ratio - 1),
                100 * FLOW_LAYER,
                "%",
                f"{name}: {100 * ratio:.1f} % of the plastic that its lines ask for",
            )


def order(
    toolpath: Toolpath,
    layers: Layers,
    settings: dict[str, str],
    solid_between: Callable[[float, float], bool],
) -> Iterator[Deviation]:
    """Moves below what was already printed, and steps between layers that are not as stated.

    ``solid_between`` says whether the part is anywhere between two heights, mm: a part may
    have a gap that stands on supports.
    """
    printing = layers.of_move >= 0
    z = np.where(printing, toolpath.end[:, 2], -np.inf)
    top = np.maximum.accumulate(z)
    dive = np.flatnonzero(toolpath.end[:, 2] < top - BELOW_MM)
    if len(dive) and settings.get("complete_objects", "0") == "0":
        at = int(dive[0])
        deepest = float((top - toolpath.end[:, 2])[dive].max())
        yield Deviation(
            "fail",
            "below",
            f"the nozzle goes {deepest:.2f} mm below what is already printed",
            deepest,
            BELOW_MM,
            "mm",
            int(np.searchsorted(layers.z_mm, top[at] - BELOW_MM)),
            1,
            float(top[at]),
            int(toolpath.line[at]),
            _middle(toolpath, at),
        )
    walls = np.array(
        ["wall" in role_of(name) and not _over_air(name) for name in toolpath.features]
    )
    rows = np.flatnonzero(printing & walls[toolpath.feature] & (toolpath.height_mm > 0))
    stated = np.full(len(layers), np.nan)
    stated[layers.of_move[rows]] = toolpath.height_mm[rows]
    below = np.concatenate([[layers.z_mm[0] - layers.height_mm[0]], layers.z_mm[:-1]])
    bad = np.abs(layers.height_mm - stated) > LAYER_STEP_MM
    for first, count in runs(np.flatnonzero(bad)):
        step = float(layers.height_mm[first])
        if step > stated[first] and not solid_between(
            below[first], layers.z_mm[first] - stated[first]
        ):
            continue
        yield in_layers(
            layers,
            "layer",
            first,
            count,
            step - float(stated[first]),
            LAYER_STEP_MM,
            "mm",
            f"a step of {step:.3f} mm to the next layer, which is stated to be "
            f"{stated[first]:.3f} mm high: a layer missing, moved or stretched",
        )


def beside(toolpath: Toolpath, layers: Layers, settings: dict[str, str]) -> Iterator[Deviation]:
    """Plastic that is laid down or pushed out without being named as something of the part."""
    part = np.flatnonzero(layers.of_move >= 0)
    if not len(part):
        return
    begun = np.arange(len(toolpath.line)) > part[0]
    for kind, names, allowed in (
        ("is not named", ("", "custom"), False),
        (
            "is named skirt or brim, above the first layer,",
            ("skirt", "brim", "skirt/brim"),
            (stated_number(settings, "skirt_height") or 1) > 1,
        ),
        (
            "is named support, without supports in the settings,",
            tuple(name for name in map(str.casefold, toolpath.features) if "support" in name),
            settings.get("support_material", "1") != "0" or settings.get("raft_layers", "0") != "0",
        ),
    ):
        if allowed:
            continue
        is_kind = np.array([name.strip().casefold() in names for name in toolpath.features])
        odd = begun & is_kind[toolpath.feature] & toolpath.extruding
        if "skirt" in kind:
            odd &= toolpath.end[:, 2] > layers.z_mm[0] + BELOW_MM
        if odd.any() and any(name for name in toolpath.features):
            at = int(np.flatnonzero(odd)[0])
            yield Deviation(
                "fail",
                "hidden",
                f"{toolpath.distance_mm[odd].sum():.1f} mm of plastic that {kind} is laid down",
                float(toolpath.distance_mm[odd].sum()),
                0,
                "mm",
                int(np.searchsorted(layers.z_mm, toolpath.end[at, 2] - BELOW_MM)),
                1,
                float(toolpath.end[at, 2]),
                int(toolpath.line[at]),
                _middle(toolpath, at),
            )
    yield from _blobs(toolpath, layers, begun)


def _blobs(toolpath: Toolpath, layers: Layers, begun: Mask) -> Iterator[Deviation]:
    """Filament pushed on the spot that was not pulled back before."""
    laid = toolpath.extruding
    moved = np.where(laid, 0.0, toolpath.extruded_mm)
    level = np.cumsum(moved)
    # the nozzle is full where nothing is pulled back; pushing beyond that leaves a blob
    excess = level - np.maximum.accumulate(np.where(laid, level, -np.inf))
    odd = np.flatnonzero(begun & (moved > 0) & (excess > BLOB_MM))
    if len(odd):
        at = int(odd[excess[odd].argmax()])
        yield Deviation(
            "fail",
            "hidden",
            f"{excess[at]:.1f} mm of filament are pushed out on one spot",
            float(excess[at]),
            BLOB_MM,
            "mm",
            int(min(np.searchsorted(layers.z_mm, toolpath.end[at, 2] - BELOW_MM), len(layers) - 1)),
            1,
            float(toolpath.end[at, 2]),
            int(toolpath.line[at]),
            _middle(toolpath, at),
        )


def _over_air(name: str) -> bool:
    return any(word in name.casefold() for word in ("bridge", "overhang", "ironing"))


def _middle(toolpath: Toolpath, move: int) -> tuple[float, float]:
    x, y = (toolpath.start[move, :2] + toolpath.end[move, :2]) / 2
    return float(x), float(y)
