"""Whether two G-code files print the same: what is laid down where, how hot, how cooled, how fast.

Comments, line numbers, the way in which numbers are written and how a line is cut into moves
do not count.  It is the base for re-slicing checks and for finding what was altered since a
file was signed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from labkit.slicing.comparison.commands import TALK, key_of, other_commands
from labkit.slicing.comparison.side import CELL_MM, FILAMENT_MM2, Side, deposits, per_sample
from labkit.slicing.deviation import Deviation, in_layers, runs, worst
from labkit.slicing.kernel import ARC
from labkit.slicing.layering import layers_of
from labkit.slicing.setpoints import bed_c, factor_percent, fan_percent, hotend_c
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

Verdict = Literal["identical", "equal", "different"]

ROUNDED_MM = 0.0006
"""Half of the last of three digits of E."""


@dataclass(frozen=True)
class Tolerance:
    """What still counts as the same.

    Largest spread between honest files of four parts (``benchmarks/tampering.py``, PrusaSlicer
    2.5): numbers rounded to three digits: lines 0.007 mm, a layer's plastic 0.5 %, a cell 4 %;
    Arachne sliced again, on one and two processors: 0.030 mm, 0.03 %, 4 %; classic walls
    sliced again, with supports: 0.  The tolerances are two to three times that.

    Parameters
    ----------
    layer_mm : height of a layer.
    plastic : share of a layer's plastic, on top of ``plastic_mm`` of filament.
    bounds_mm : of each layer's lines, and of all moves.
    path_mm, path_length_mm : lines farther from those of the other file than the first, of
        more than the second together in a layer.
    flow, flow_length_mm : filament per mm against the line beside it, a share, and how much of
        a layer's lines may be farther off.
    local : plastic in a cell of 1 mm, as a share of the cell filled up.
    time : share of a layer's time, distance over speed, on top of ``time_s``.
    primed_mm : filament pushed on the spot.
    fan_percent, hotend_c, bed_c, factor_percent : means over a layer's lines.
    """

    layer_mm: float = 0.01
    plastic: float = 0.01
    plastic_mm: float = 0.05
    bounds_mm: float = 0.1
    path_mm: float = 0.1
    path_length_mm: float = 1.0
    flow: float = 0.2
    flow_length_mm: float = 0.3
    local: float = 0.08
    time: float = 0.05
    time_s: float = 0.5
    primed_mm: float = 0.5
    fan_percent: float = 3.0
    hotend_c: float = 0.5
    bed_c: float = 0.5
    factor_percent: float = 0.5


@dataclass(frozen=True)
class Comparison:
    """How the second file differs from the first.

    ``verdict`` is "identical" where every move and command is the same, "equal" within
    the tolerance, else "different"; ``layers`` how many both have.  The largest that was
    found, also where it is allowed: ``path_mm``, ``plastic`` and ``local`` (shares), ``flow_mm``
    (length in a layer).
    """

    verdict: Verdict
    differences: tuple[Deviation, ...]
    layers: int
    path_mm: float = 0.0
    plastic: float = 0.0
    local: float = 0.0
    flow_mm: float = 0.0


def compare(a: Toolpath, b: Toolpath, tolerance: Tolerance | None = None) -> Comparison:
    """How two tool paths compare; ``a`` is the one that is believed.

    Not compared: the order of lines within a layer, and travel that stays inside the bounds
    of the other file at its height.  Files with arcs (G2, G3) are never equal.
    """
    if _same(a, b):
        return Comparison("identical", (), len(layers_of(a, a.extruding)))
    pair = _Pair(a, b, tolerance or Tolerance())
    found = worst(list(pair.differences()))
    return Comparison(
        "different" if found else "equal",
        found,
        len(pair.z_mm),
        pair.path_mm,
        pair.plastic,
        pair.local,
        pair.flow_mm,
    )


def _same(a: Toolpath, b: Toolpath) -> bool:
    """Whether all moves and commands are the same, one by one."""
    if len(a.line) != len(b.line) or a.faults or b.faults or _arcs(a, b):
        return False
    commands = [[key_of(c) for c in path.commands if c.name not in TALK] for path in (a, b)]
    places = [
        np.searchsorted(path.line, [c.line for c in path.commands if c.name not in TALK])
        for path in (a, b)
    ]
    return (
        commands[0] == commands[1]
        and np.array_equal(places[0], places[1])
        and all(
            np.array_equal(getattr(a, name), getattr(b, name))
            for name in ("start", "end", "extruded_mm", "feed_mm_min")
        )
    )


def _arcs(*paths: Toolpath) -> int:
    return sum(int(((path.words & ARC) > 0).sum()) for path in paths)


class _Pair:
    def __init__(self, a: Toolpath, b: Toolpath, tolerance: Tolerance) -> None:
        self.a, self.b, self.tolerance = Side(a), Side(b), tolerance
        own = self.a.own.z_mm, self.b.own.z_mm
        z = np.concatenate(own)
        order = np.argsort(z, kind="stable")
        steps = np.diff(z[order], prepend=-np.inf) > tolerance.layer_mm
        number = np.empty(len(z), np.int64)
        number[order] = np.cumsum(steps) - 1
        self.z_mm = z[order][steps]
        self.a.place(number[: len(own[0])], len(self.z_mm))
        self.b.place(number[len(own[0]) :], len(self.z_mm))
        self.both = (self.a.length > 0) & (self.b.length > 0)
        self.path_mm = self.plastic = self.local = self.flow_mm = 0.0

    @property
    def first_line(self) -> Whole:
        """(n,) int64: the first line of each layer, in the file in question."""
        return self.b.first_line

    def differences(self) -> Iterator[Deviation]:
        if _arcs(self.a.path, self.b.path):
            words = "arcs (G2, G3): their course is not read, so that it cannot be compared"
            yield Deviation("fail", "arcs", words, _arcs(self.a.path, self.b.path), 0, "arcs")
        if not self.both.any():
            yield Deviation("fail", "layers", "no layer that both files print", 0, 1, "layers")
        yield from self._layers()
        yield from self._amounts()
        yield from self._bounds()
        yield from self._paths()
        yield from self._cells()
        yield from other_commands(self.a.path, self.b.path)

    def _layers(self) -> Iterator[Deviation]:
        for here, words in ((self.a, "missing"), (self.b, "more")):
            only = (here.length > 0) & ~self.both
            for first, count in runs(np.flatnonzero(only)):
                yield in_layers(
                self,
                    "layers", first, count, count, 0, "layers",
                    f"{count} layer{'s' if count > 1 else ''} {words}",
                )  # fmt: skip
        if self.both.all() and not np.array_equal(self.a.order, self.b.order):
            short = min(len(self.a.order), len(self.b.order))
            unlike = np.flatnonzero(self.a.order[:short] != self.b.order[:short])
            at = int(self.b.order[unlike[0]]) if len(unlike) else int(self.b.order[-1])
            yield in_layers(
                self, "order", at, 1, 1, 0, "", "the layers are printed in another order"
            )

    def _amounts(self) -> Iterator[Deviation]:
        """What sums up or averages over a layer."""
        limit = self.tolerance
        plastic = [side.total(side.path.extruded_mm) for side in (self.a, self.b)]
        self.plastic = _largest(plastic[1] / np.maximum(plastic[0], 1e-9) - 1, self.both)
        seconds = [
            side.total(60 * side.path.distance_mm / np.maximum(side.path.feed_mm_min, 1e-9))
            for side in (self.a, self.b)
        ]
        yield from self._off(
            "plastic", plastic, limit.plastic * plastic[0] + limit.plastic_mm, "mm of filament"
        )
        yield from self._off("time", seconds, limit.time * seconds[0] + limit.time_s, "s")
        yield from self._off(
            "primed", [self.a.primed, self.b.primed], limit.primed_mm, "mm of filament"
        )
        yield from self._off("height", [self.a.lowest, self.b.lowest], limit.layer_mm, "mm")
        means: tuple[tuple[str, Callable[[Toolpath], Array], float, str], ...] = (
            ("hotend", hotend_c, limit.hotend_c, "°C"),
            ("bed", bed_c, limit.bed_c, "°C"),
            ("fan", fan_percent, limit.fan_percent, "%"),
            ("flow factor", lambda path: factor_percent(path, "M221"), limit.factor_percent, "%"),
            ("speed factor", lambda path: factor_percent(path, "M220"), limit.factor_percent, "%"),
        )
        for rule, of, allowed, unit in means:
            yield from self._off(
                rule, [side.mean(of(side.path)) for side in (self.a, self.b)], allowed, unit
            )

    def _off(
        self, rule: str, values: list[Array], allowed: Array | float, unit: str
    ) -> Iterator[Deviation]:
        off = values[1] - values[0]
        allowed = np.broadcast_to(allowed, off.shape)
        for first, count in runs(np.flatnonzero(self.both & (np.abs(off) > allowed))):
            at = first + int(np.abs(off[first : first + count]).argmax())
            yield in_layers(
                self,
                rule, first, count, float(off[at]), float(allowed[at]), unit,
                f"{rule}: {values[1][at]:.5g} {unit} instead of {values[0][at]:.5g}",
            )  # fmt: skip

    def _bounds(self) -> Iterator[Deviation]:
        off = np.where(self.both[:, None], np.abs(self.b.bounds - self.a.bounds), 0)
        off = np.nan_to_num(off).max(axis=1) if len(off) else np.zeros(0)
        limit = self.tolerance.bounds_mm
        for first, count in runs(np.flatnonzero(off > limit)):
            value = float(off[first : first + count].max())
            yield in_layers(
                self,
                "bounds", first, count, value, limit, "mm",
                f"the lines of the layer end {value:.2f} mm elsewhere",
            )  # fmt: skip
        ends = [side.path.end for side in (self.a, self.b)]
        if all(len(end) for end in ends):
            apart = max(
                float(np.abs(ends[1].min(axis=0) - ends[0].min(axis=0)).max()),
                float(np.abs(ends[1].max(axis=0) - ends[0].max(axis=0)).max()),
            )
            if apart > limit:
                yield Deviation(
                    "fail", "bounds", f"the moves end {apart:.2f} mm elsewhere",
                    apart, limit, "mm",
                )  # fmt: skip

    def _paths(self) -> Iterator[Deviation]:
        """Lines of one file without a line of the other beside them."""
        if not self.both.any():
            return
        limit, allowed = self.tolerance.path_mm, self.tolerance.path_length_mm
        for here, there, words in ((self.a, self.b, "missing"), (self.b, self.a, "new")):
            points, rows, layer = here.sampled
            away, beside, _ = there.lines(8 * limit).nearest(points, layer)
            inside = self.both[layer]
            away = np.where(inside, np.minimum(away, 8 * limit), 0.0)
            length = per_sample(here, rows)
            far = away > limit
            if here is self.b:
                yield from self._thinner(rows, layer, beside, ~far & inside, length)
            total = np.bincount(layer[far], length[far], len(self.z_mm))
            self.path_mm = max(self.path_mm, float(away.max(initial=0.0)))
            for first, count in runs(np.flatnonzero(total > allowed)):
                mine = np.flatnonzero(far & (layer >= first) & (layer < first + count))
                at = mine[away[mine].argmax()]
                x, y = points[mine].mean(axis=0)
                longest = float(total[first : first + count].max())
                yield Deviation(
                    "fail",
                    "path",
                    f"{longest:.1f} mm of lines in a layer {words}: no line within "
                    f"{limit:g} mm, up to {away[at]:.2f} mm",
                    longest,
                    allowed,
                    "mm",
                    first,
                    count,
                    float(self.z_mm[first]),
                    int(here.path.line[rows[mine[0]]]) if here is self.b else 0,
                    (float(x), float(y)),
                )

    def _thinner(
        self,
        rows: Whole,
        layer: Whole,
        beside: Whole,
        chosen: npt.NDArray[np.bool_],
        length: Array,
    ) -> Iterator[Deviation]:
        """Lines of the second file that get more or less plastic than the line beside them."""
        limit, allowed = self.tolerance.flow, self.tolerance.flow_length_mm
        amount, slack = zip(*(_per_mm(side) for side in (self.a, self.b)), strict=True)
        other = self.a.rows[beside]
        off = np.abs(amount[1][rows] - amount[0][other])
        bad = chosen & (off > limit * amount[0][other] + slack[0][other] + slack[1][rows])
        total = np.bincount(layer[bad], length[bad], len(self.z_mm))
        self.flow_mm = float(total.max(initial=0.0))
        for first, count in runs(np.flatnonzero(total > allowed)):
            mine = np.flatnonzero(bad & (layer >= first) & (layer < first + count))
            ratio = float(amount[1][rows[mine]].mean() / amount[0][other[mine]].mean())
            x, y = self.b.sampled[0][mine[0]]
            yield in_layers(
                self,
                "flow",
                first,
                count,
                float(total[first : first + count].max()),
                allowed,
                "mm",
                f"{total[first : first + count].max():.1f} mm of lines in a layer get "
                f"{100 * ratio:.0f} % of the plastic",
                (float(x), float(y)),
                line=int(self.b.path.line[rows[mine[0]]]),
            )

    def _cells(self) -> Iterator[Deviation]:
        """Plastic in cells of 1 mm: each point gives to the four cells around it."""
        if not self.both.any():
            return
        bounds = np.vstack([side.bounds[self.both] for side in (self.a, self.b)])
        low = bounds[:, :2].min(axis=0)
        wide = 3 + int(np.ptp(bounds[:, ::2]))
        fields = [deposits(side, low, self.both, wide) for side in (self.a, self.b)]
        height = np.diff(self.z_mm, prepend=0.0)
        worst_of = np.zeros(len(self.z_mm))
        places: dict[int, tuple[float, float]] = {}
        for number in np.flatnonzero(self.both):
            mine = [field[number] for field in fields]
            size = max(len(one) for one in mine)
            off = np.zeros(size)
            off[: len(mine[1])] += mine[1]
            off[: len(mine[0])] -= mine[0]
            at = int(np.abs(off).argmax())
            full = max(height[number], 0.05) * CELL_MM**2 / FILAMENT_MM2
            worst_of[number] = off[at] / full
            row, column = divmod(at, wide)
            places[int(number)] = (
                float(low[0] + column * CELL_MM),
                float(low[1] + row * CELL_MM),
            )
        self.local = float(np.abs(worst_of).max(initial=0.0))
        limit = self.tolerance.local
        for first, count in runs(np.flatnonzero(np.abs(worst_of) > limit)):
            at = first + int(np.abs(worst_of[first : first + count]).argmax())
            word = "more" if worst_of[at] > 0 else "less"
            yield in_layers(
                self,
                "local", first, count, 100 * float(worst_of[at]), 100 * limit, "% of a cell",
                f"{word} plastic on one place, by {100 * abs(worst_of[at]):.0f} % of a full "
                "cell of 1 mm",
                places[at],
            )  # fmt: skip


def _per_mm(side: Side) -> tuple[Array, Array]:
    """Filament per mm of each move, and how far rounding to three digits may put it off."""
    distance = np.maximum(side.path.distance_mm, 1e-6)
    return side.path.extruded_mm / distance, ROUNDED_MM / distance


def _largest(values: Array, chosen: npt.NDArray[np.bool_]) -> float:
    return float(np.abs(values[chosen]).max(initial=0.0))
