"""Outlines of a tool path against the part's sections: what is missing, extra, moved, open."""

from collections.abc import Iterator
from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt

from labkit.slicing.deviation import Deviation, Severity, in_layers, runs
from labkit.slicing.fidelity.outlines import Area, Edges, Wall, apart, edges_of, opened
from labkit.slicing.fidelity.rebuilt import Rebuilt
from labkit.slicing.nearness import Lines, samples

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_SAMPLE_MM = 0.5
_REACH_MM = 3.0

SLIVER_MM = 0.04
_SQUARE = manifold3d.JoinType.Square

NARROW_LINES = 1.55
"""Where a part is narrower than this many lines PrusaSlicer draws no loop, but a thin wall.

Half a line, and 0.3 of the distance between lines, to each side: the slicer lets lines come
as near as 1 − INSET_OVERLAP_TOLERANCE of that distance (``libslic3r.h``: 0.4).
"""


@dataclass(frozen=True)
class Limits:
    """What is allowed; the project's own numbers.

    Parameters
    ----------
    volume, difference : shares of the part's volume: of the outlines' volume, and of what
        lies in only one of outline and section.
    outline_lines : 95 % of a layer's outline lies within this many line widths.
    shift_mm : a layer as a whole.
    contour_mm : one outline (of a bore, an island) as a whole, inwards or outwards.
    island_mm2 : an island or hole in one layer, missing or extra.
    thick_mm : what is missing or extra counts where it is thicker than this.
    extent_mm : length, width of the whole part.
    seam_mm : between the ends of a loop; PrusaSlicer leaves 0.15 nozzle widths
        (``libslic3r.h``, LOOP_CLIPPING_LENGTH_OVER_NOZZLE_DIAMETER), 0.06 mm.
    overfill : plastic of a layer over its volume.
    """

    volume: float = 0.01
    difference: float = 0.02
    outline_lines: float = 0.5
    shift_mm: float = 0.05
    contour_mm: float = 0.06
    island_mm2: float = 0.5
    thick_mm: float = 0.25
    extent_mm: float = 0.15
    seam_mm: float = 0.3
    overfill: float = 1.15


class OutlineCheck:
    """The comparison of all layers; the numbers are there once `deviations` has run through.

    ``rims`` are the edges of the part's sections; ``difference`` and the deviations of each
    layer are as in `labkit.slicing.fidelity.Fidelity`.
    """

    def __init__(self, rebuilt: Rebuilt, limits: Limits) -> None:
        self.layers, self.walls = rebuilt.layers, rebuilt.walls
        self.printed, self.sections = rebuilt.printed, rebuilt.sections
        self.line_mm, self.limits = rebuilt.line_mm, limits
        self.rims = edges_of(rebuilt.sections)

    def deviations(self) -> Iterator[Deviation]:
        """Printed outlines against sections."""
        missing, narrow, thin, extra = [], [], [], []
        self.printable = []
        for printed, section in zip(self.printed, self.sections, strict=True):
            lack = section - printed
            loops = lines = section
            if not lack.offset(-SLIVER_MM, _SQUARE).is_empty():
                lines = opened(section, 0.9 * self.line_mm / 2) ^ section
                loops = opened(section, NARROW_LINES * self.line_mm / 2) ^ section
            self.printable.append(loops)
            missing.append(loops - printed)
            narrow.append(lack ^ (lines - loops))
            thin.append(lack - lines)
            extra.append(printed - section)
        self.difference = np.array(
            [apart(a, b) for a, b in zip(self.sections, self.printed, strict=True)]
        )
        half, least = self.limits.thick_mm / 2, self.limits.island_mm2
        few = "are thinner than two lines and not printed"
        rules: tuple[tuple[str, Severity, list[Area], float, float, str], ...] = (
            ("missing", "fail", missing, half, least, "of the part are not printed"),
            ("missing", "fail", narrow, half, 4 * least, few),
            ("thin", "warn", narrow, half, least, few),
            ("thin", "warn", thin, half / 3, least, "are thinner than a line and not printed"),
            ("extra", "fail", extra, half, least, "are printed that are not part"),
        )
        for rule, severity, areas, radius, limit, words in rules:
            found = {}
            for number, area in enumerate(areas):
                if area.area() >= limit:
                    thick = opened(area, radius)
                    if thick.area() >= limit:
                        found[number] = thick
            yield from self._areas(rule, severity, found, words, limit)
        yield from self._distances()
        yield from self._seams()

    def _areas(
        self,
        rule: str,
        severity: Severity,
        areas: dict[int, Area],
        words: str,
        limit: float,
    ) -> Iterator[Deviation]:
        for first, count in runs(list(areas)):
            pieces = [
                (piece.area(), number, piece)
                for number in range(first, first + count)
                for piece in areas[number].decompose()
            ]
            _, number, piece = max(pieces, key=lambda one: one[0])
            x0, y0, x1, y1 = piece.bounds()
            whole = max(areas[n].area() for n in range(first, first + count))
            yield Deviation(
                severity,
                rule,
                f"{whole:.1f} mm² in a layer {words}; the largest piece is "
                f"{x1 - x0:.1f} × {y1 - y0:.1f} mm",
                whole,
                limit,
                "mm²",
                first,
                count,
                float(self.layers.z_mm[first]),
                int(self.layers.first_line[number]),
                ((x0 + x1) / 2, (y0 + y1) / 2),
            )

    def _distances(self) -> Iterator[Deviation]:
        printed, part = edges_of(self.printed), self.rims
        can = edges_of(self.printable)
        count = len(self.layers)
        self.p95 = np.full(count, np.nan)
        self.farthest_out, self.farthest_in = np.full(count, np.nan), np.full(count, np.nan)
        if not len(printed[0]) or not len(part[0]):
            return
        points, of_edge = samples(printed[0], printed[1], _SAMPLE_MM)
        target = Lines(part[0], part[1], part[2], _REACH_MM)
        away, edge, side = target.nearest(points, printed[2][of_edge])
        # without an outline near, whether it is in or out is not known: it counts as out
        signed = np.where(edge >= 0, np.minimum(away, _REACH_MM) * side, _REACH_MM)
        back, back_of = samples(can[0], can[1], _SAMPLE_MM)
        target = Lines(printed[0], printed[1], printed[2], _REACH_MM)
        away, back_edge, back_side = target.nearest(back, can[2][back_of])
        back_signed = np.where(back_edge >= 0, -np.minimum(away, _REACH_MM) * back_side, -_REACH_MM)
        layer = np.concatenate([printed[2][of_edge], can[2][back_of]])
        both = np.concatenate([signed, back_signed])
        order = np.argsort(layer, kind="stable")
        for values in np.split(both[order], np.flatnonzero(np.diff(layer[order])) + 1):
            number = layer[order][0]
            order = order[len(values) :]
            self.p95[number] = np.percentile(np.abs(values), 95)
            self.farthest_out[number], self.farthest_in[number] = values.max(), values.min()
        allowed = self.limits.outline_lines * self.line_mm
        for first, length in runs(np.flatnonzero(self.p95 > allowed)):
            at = first + int(np.nanargmax(self.p95[first : first + length]))
            yield in_layers(
                self.layers,
                "outline", first, length, float(self.p95[at]), allowed, "mm",
                f"the outline is {self.p95[at]:.2f} mm off (95 % within)",
            )  # fmt: skip
        yield from self._shifts(part, edge, signed, printed[2][of_edge])
        yield from self._contours(printed[3][of_edge], signed, printed[2][of_edge], points)

    def _shifts(self, part: Edges, edge: Whole, signed: Array, layer: Whole) -> Iterator[Deviation]:
        """By least squares, the shift of a layer that explains its outline's distances best."""
        near = (edge >= 0) & (np.abs(signed) < 1.5)
        way = (part[1] - part[0])[edge[near]]
        long = np.maximum(np.hypot(*way.T), 1e-12)
        normal = np.column_stack([way[:, 1], -way[:, 0]]) / long[:, None]
        count = len(self.layers)
        matrix = np.zeros((count, 2, 2))
        right = np.zeros((count, 2))
        at = layer[near]
        for i in (0, 1):
            right[:, i] = np.bincount(at, normal[:, i] * signed[near], count)
            for j in (0, 1):
                matrix[:, i, j] = np.bincount(at, normal[:, i] * normal[:, j], count)
        matrix += np.eye(2)
        shift = np.linalg.solve(matrix, right[..., None])[..., 0]
        far = np.hypot(*shift.T)
        self.shift = shift
        for first, length in runs(np.flatnonzero(far > self.limits.shift_mm)):
            worst_at = first + int(far[first : first + length].argmax())
            x, y = shift[worst_at]
            yield in_layers(
                self.layers,
                "shift", first, length, float(far[worst_at]), self.limits.shift_mm, "mm",
                f"the layer lies x {x:+.2f}, y {y:+.2f} mm beside its place",
            )  # fmt: skip

    def _contours(
        self, contour: Whole, signed: Array, layer: Whole, points: Array
    ) -> Iterator[Deviation]:
        # the middle value: corners are rounded off, which says nothing of the size
        order = np.lexsort((signed, contour))
        number = np.bincount(contour)
        middle = signed[order][np.cumsum(number) - number + number // 2]
        bad = np.flatnonzero((number >= 6) & (np.abs(middle) > self.limits.contour_mm))
        self.contour = middle[number >= 6]
        if not len(bad):
            return
        first_of = np.full(len(number), -1)
        first_of[contour[::-1]] = np.arange(len(contour))[::-1]
        layers = layer[first_of[bad]]
        for first, length in runs(layers):
            mine = bad[(layers >= first) & (layers < first + length)]
            at = mine[np.abs(middle[mine]).argmax()]
            here = contour == at
            x, y = points[here].mean(axis=0)
            yield in_layers(
                self.layers,
                "contour", first, length, float(middle[at]), self.limits.contour_mm, "mm",
                f"an outline lies {abs(middle[at]):.2f} mm too far "
                + ("outside the part" if middle[at] > 0 else "inside the part"),
                (float(x), float(y)),
            )  # fmt: skip

    def _seams(self) -> Iterator[Deviation]:
        wide: dict[int, tuple[float, Wall]] = {}
        for number, walls in enumerate(self.walls):
            for wall in walls:
                if wall.closed and wall.gap_mm > max(
                    self.limits.seam_mm, wide.get(number, (0,))[0]
                ):
                    wide[number] = wall.gap_mm, wall
        for first, count in runs(list(wide)):
            gap, wall = max(
                (wide[number] for number in range(first, first + count)), key=lambda one: one[0]
            )
            x, y = (wall.points[0] + wall.points[-1]) / 2
            yield in_layers(
                self.layers,
                "seam", first, count, gap, self.limits.seam_mm, "mm",
                f"the outer wall stays open by {gap:.2f} mm at its seam",
                (float(x), float(y)), wall.line,
            )  # fmt: skip
