"""A surface from two sides, with its size, and with a signed map of distances if there is one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import trimesh
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from scipy.spatial import cKDTree

from labkit.errors import ToolMissingError
from labkit.views import offscreen
from labkit.views.ink import INK, PAPER
from labkit.views.picture import (
    BONE,
    DEVIATION,
    ORDER,
    VERMILION,
    Picture,
    edge_letters,
    new_figure,
    picture_of,
    scale_bar,
)
from labkit.volume import Array

Frame = Literal["LPS", "plate"]
Part = tuple[trimesh.Trimesh, tuple[float, float, float]]

_WIDTH_PX, _HEIGHT_PX = 1200, 560
_LISTED = 20
"""Names of parts that have room beside the picture; a learned model may find a hundred."""

SHARP_DEGREES, _OUTLINED_DEGREES = 50.0, 75.0
"""Edges from which on faces are not shaded as one, and have a line between them."""


@dataclass(frozen=True)
class _Side:
    """A parallel projection: which way is right, up and towards the viewer."""

    name: str
    right: tuple[int, int, int]
    up: tuple[int, int, int]
    letters: tuple[str, str, str, str]
    """What lies at the left, right, top and bottom edge."""

    @property
    def axes(self) -> npt.NDArray[np.float64]:
        """(3, 3) float64: the rows are right, up, and towards the viewer."""
        right, up = (np.array(way) / np.linalg.norm(way) for way in (self.right, self.up))
        return np.stack([right, up, np.cross(right, up)])


_SIDES: dict[str, tuple[_Side, _Side]] = {
    "LPS": (
        _Side("from the front", (1, 0, 0), (0, 0, 1), ("R", "L", "S", "I")),
        _Side("from the patient's left", (0, 1, 0), (0, 0, 1), ("A", "P", "S", "I")),
    ),
    "plate": (
        _Side("from the front", (1, 0, 0), (0, 0, 1), ("−X", "+X", "+Z", "−Z")),
        _Side("from above", (1, 0, 0), (0, 1, 0), ("−X", "+X", "+Y", "−Y")),
    ),
}
_CORNER = _Side("from the front right", (1, 1, 0), (-1, 1, 2), ("", "", "", ""))
_NO_GL = " · drawn without a graphics library"
_SAID = {
    "LPS": "patient left on the right of the first, front on the left of the second",
    "plate": "X to the right in both",
}
_NAMES = {"LPS": ("R to L", "A to P", "I to S"), "plate": ("X", "Y", "Z")}


@dataclass(frozen=True)
class Sight:
    """A surface as one side of a picture shows it.

    Parameters
    ----------
    ax : its axes are in mm, the middle of the surface is at 0, 0.
    axes : (3, 3) float64: the rows are right, up, and towards the viewer.
    centre : (2,) float64, mm: what lies at 0, 0, right and up.
    """

    ax: Axes
    axes: Array
    centre: Array

    def of(self, places: Array) -> Array:
        """(n, 2) mm in the axes: where places (n, 3), mm in the surface's frame, are seen."""
        return np.asarray(places @ self.axes[:2].T - self.centre)


def two_sides(
    figure: Figure,
    mesh: trimesh.Trimesh,
    spots: Sequence[tuple[float, float, float, float]],
    *,
    frame: Frame,
) -> tuple[list[Sight], str]:
    """A plain surface drawn into a figure from two sides, to be drawn upon.

    Parameters
    ----------
    spots : of both sides: left, bottom, width and height, in shares of the figure.

    Returns
    -------
    sights, words : of the sides, and the surface's size in mm as the picture says it.
    """
    paint, with_gl = _Paint(None, 0.0), _graphics()
    sights = [
        _draw(figure.add_axes(spot), mesh, side, paint, with_gl, {})
        for side, spot in zip(_SIDES[frame], spots, strict=True)
    ]
    words = size_in_words(mesh, frame)
    figure.text(
        *(0.99, 1 - 14 / figure.bbox.height, words + ("" if with_gl else _NO_GL)),
        ha="right",
        va="top",
        fontsize=9,
        color=INK,
    )
    return sights, words


def size_in_words(mesh: trimesh.Trimesh, frame: Frame) -> str:
    """The bounding size of a surface in mm, with the names of its axes."""
    return " × ".join(
        f"{mm:.1f} mm ({name})" for mm, name in zip(mesh.extents, _NAMES[frame], strict=True)
    )


def surface(
    mesh: trimesh.Trimesh,
    *,
    frame: Frame = "LPS",
    title: str = "",
    distances_mm: Array | None = None,
    spread_mm: Array | None = None,
    parts: Mapping[str, Part] | None = None,
    meaning: str = "+ outside",
    marks: Mapping[str, Array] | None = None,
) -> Picture:
    """A surface from two sides in parallel projection, with its bounding size in mm.

    Drawn by VTK off-screen; where the machine has no graphics library, by a simple
    painter in flat shades, and the picture says so.

    Parameters
    ----------
    mesh : vertices in mm in ``frame``.
    frame : the patient's (letters R L A P S I) or the printer's plate (X Y Z).
    title : a heading.
    distances_mm : (n,) float64, one per vertex, signed, positive outside: shown as
        colours from −limit to +limit, where 99 % of the vertices lie.
    spread_mm : (n,) float64, one per vertex, without sign, in place of distances: shown as
        colours from 0 to the limit under which 95 % of the vertices lie.
    parts : by name, the bodies that the surface is made of, each with its red, green and
        blue (0 to 1): every vertex has the colour of the nearest.
    meaning : what a positive distance is, over the colours.
    marks : places to be pointed at, (3,) mm each, by what is there.
    """
    values_mm = spread_mm if distances_mm is None else distances_mm
    if values_mm is not None and len(values_mm) != len(mesh.vertices):
        raise ValueError(f"{len(values_mm)} distances for {len(mesh.vertices)} vertices")
    limit_mm = 0.0
    if values_mm is not None:
        shown_percent = 99 if spread_mm is None else 95
        limit_mm = max(float(np.percentile(np.abs(values_mm), shown_percent)), 1e-3)
    parts = parts or {}
    signed = spread_mm is None
    paint = _Paint(values_mm, limit_mm, _of_the_nearest(mesh, parts.values()), signed=signed)
    figure = new_figure(_WIDTH_PX, _HEIGHT_PX, title)
    with_gl = _graphics()
    for side, place in zip(_SIDES[frame], _places(values_mm is not None), strict=True):
        ax = figure.add_axes(place)
        _draw(ax, mesh, side, paint, with_gl, marks or {})
    words = size_in_words(mesh, frame)
    alt = f"{title + ': ' if title else ''}a surface of {words}"
    if values_mm is not None:
        _colour_bar(figure, paint, meaning)
        what, low_mm = ("distances", -limit_mm) if signed else ("spread", 0)
        alt += f", coloured by its {what} from {low_mm:.2g} to {limit_mm:.2g} mm"
    if parts:
        alt += "; in colours of their own " + ", ".join(parts)
        for n, (name, (_, rgb)) in enumerate(list(parts.items())[:_LISTED]):
            figure.text(0.01, 0.89 - 0.04 * n, "■", color=rgb, fontsize=11, va="center")
            _words(figure, 0.025, 0.89 - 0.04 * n, name, va="center")
    if marks:
        named = ", ".join(f"{number} {name}" for number, name in enumerate(marks, 1))
        _words(figure, 0.01, 0.005, named, va="bottom")
        alt += f"; marked: {named}"
    if not with_gl:
        words += _NO_GL
    figure.text(0.99, 0.975, words, ha="right", va="top", fontsize=9, color=INK)
    names = " and ".join(side.name for side in _SIDES[frame])
    return picture_of(figure, f"{alt}; seen {names}, {_SAID[frame]}.")


def thumbnail(mesh: trimesh.Trimesh, size_px: int = 220) -> bytes:
    """A square PNG of a part from the front right, as printers show it beside a file's name.

    Parameters
    ----------
    mesh : vertices in mm, in the frame of the printer's plate.
    size_px : of each side.
    """
    # painted, not rendered: it goes into the frozen G-code, where no graphics driver may show
    figure = new_figure(size_px, size_px, "")
    ax = figure.add_axes((0, 0, 1, 1))
    seen = mesh.vertices @ _CORNER.axes.T
    low, high = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    half_mm = 0.55 * float((high - low).max())
    middle = np.array([*(low + high) / 2, 0.0])
    ax.add_collection(_painted(mesh, seen - middle, _CORNER, _Paint(None, 0.0)))
    ax.set_xlim(-half_mm, half_mm)
    ax.set_ylim(-half_mm, half_mm)
    ax.set_axis_off()
    return picture_of(figure, "").png


def colours_of(mesh: trimesh.Trimesh, parts: Collection[Part]) -> npt.NDArray[np.uint8]:
    """(n, 3) uint8, RGB: for each vertex that of the nearest part; (1, 3) without parts."""
    found = _of_the_nearest(mesh, parts)
    return _Paint(None, 0.0).of_vertices(1) if found is None else found


def _words(figure: Figure, x: float, y: float, text: str, *, va: str) -> None:
    # A name may hold dollar signs, which matplotlib would take for a formula.
    figure.text(x, y, text, va=va, color=INK, fontsize=9, parse_math=False)


class _Paint:
    """The colours of the vertices."""

    def __init__(
        self,
        values_mm: Array | None,
        limit_mm: float,
        of_parts: npt.NDArray[np.uint8] | None = None,
        *,
        signed: bool = True,
    ) -> None:
        self.values = values_mm
        self.signed = signed
        self.of_parts = of_parts
        self.limit_mm = limit_mm
        coloured = DEVIATION if signed else ORDER
        self.colours: Colormap = ListedColormap([BONE]) if values_mm is None else coloured

    @property
    def scale(self) -> Normalize:
        limit_mm = self.limit_mm or 1.0
        return Normalize(-limit_mm if self.signed else 0.0, limit_mm)

    def of_vertices(self, count: int) -> npt.NDArray[np.uint8]:
        """(n, 3) uint8, RGB."""
        if self.of_parts is not None:
            return self.of_parts
        values = np.zeros(count) if self.values is None else self.values
        rgba = self.colours(self.scale(values), bytes=True)
        return np.asarray(rgba, np.uint8)[:, :3]


def _of_the_nearest(mesh: trimesh.Trimesh, parts: Collection[Part]) -> npt.NDArray[np.uint8] | None:
    """(n, 3) uint8: for each vertex the colour of the nearest part; None without parts."""
    if not parts:
        return None
    far_mm = np.array([cKDTree(part.vertices).query(mesh.vertices)[0] for part, _ in parts])
    colours = np.array([rgb for _, rgb in parts]) * 255
    return np.asarray(np.rint(colours[np.argmin(far_mm, axis=0)]), np.uint8)


def _graphics() -> bool:
    try:
        offscreen.prepare()
    except ToolMissingError:
        return False
    return True


def _places(with_bar: bool) -> list[tuple[float, float, float, float]]:
    width = 0.45 if with_bar else 0.48
    return [(0.01, 0.02, width, 0.83), (0.02 + width, 0.02, width, 0.83)]


def _draw(
    ax: Axes,
    mesh: trimesh.Trimesh,
    side: _Side,
    paint: _Paint,
    with_gl: bool,
    marks: Mapping[str, Array],
) -> Sight:
    seen = mesh.vertices @ side.axes.T  # right, up, towards the viewer
    low, high = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    box = ax.get_position()
    whole = ax.figure.bbox
    width_px, height_px = round(box.width * whole.width), round(box.height * whole.height)
    mm_per_px = 1.15 * max(*((high - low) / (width_px, height_px)), 1e-6)
    centre = (low + high) / 2
    half = np.array([width_px, height_px]) * mm_per_px / 2
    if with_gl:
        image = _rendered(
            *(mesh, side, paint),
            size_px=(width_px, height_px),
            centre=centre,
            half_height_mm=float(half[1]),
        )
        extent = (-half[0], half[0], -half[1], half[1])
        ax.imshow(image, extent=extent, interpolation="nearest")
    else:
        ax.add_collection(_painted(mesh, seen - [*centre, 0.0], side, paint))
    for number, place in enumerate(marks.values(), 1):
        x, y = (side.axes[:2] @ place) - centre
        ax.plot(x, y, "o", markersize=15, mec=VERMILION, mew=2, mfc="none")
        ax.annotate(
            str(number),
            (x, y),
            textcoords="offset points",
            xytext=(10, 6),
            color=VERMILION,
            fontweight="bold",
            path_effects=[withStroke(linewidth=2.5, foreground=PAPER)],
        )
    ax.set_xlim(-half[0], half[0])
    ax.set_ylim(-half[1], half[1])
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(side.name, fontsize=10, color=INK)
    edge_letters(ax, *side.letters, color=INK, rim=PAPER)
    scale_bar(ax, 2 * float(half[0]), color=INK, rim=PAPER)
    return Sight(ax, side.axes, centre)


def _rendered(
    mesh: trimesh.Trimesh,
    side: _Side,
    paint: _Paint,
    *,
    size_px: tuple[int, int],
    centre: Array,
    half_height_mm: float,
) -> npt.NDArray[np.uint8]:
    """(rows, columns, 3) uint8: the mesh as VTK draws it off-screen."""
    import pyvista  # noqa: PLC0415  # only after offscreen.prepare

    right, up, towards = side.axes
    depth = mesh.vertices @ towards
    middle = right * centre[0] + up * centre[1] + towards * depth.mean()
    shape = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    shape["colour"] = paint.of_vertices(len(mesh.vertices))
    plotter = pyvista.Plotter(
        off_screen=True, window_size=list(size_px), border=False, lighting="none"
    )
    try:
        plotter.add_light(pyvista.Light(light_type="headlight"))  # a map needs even light
        plotter.background_color = pyvista.Color(PAPER)
        plotter.add_mesh(
            shape,
            scalars="colour",
            rgb=True,
            smooth_shading=True,
            split_sharp_edges=True,  # else flat faces beside fine ones look creased
            feature_angle=SHARP_DEGREES,
            specular=0.1,
        )
        edges = shape.extract_feature_edges(
            _OUTLINED_DEGREES, boundary_edges=False, manifold_edges=False, non_manifold_edges=False
        )
        if edges.n_cells:  # under a light from the eye flat faces are told apart by them only
            plotter.add_mesh(edges, color=INK, line_width=1)
        plotter.camera.position = middle + towards * (np.ptp(depth) + 1.0)
        plotter.camera.focal_point = middle
        plotter.camera.up = up
        plotter.camera.parallel_projection = True
        plotter.camera.parallel_scale = half_height_mm
        plotter.reset_camera_clipping_range()
        return np.asarray(plotter.screenshot(return_img=True), np.uint8)
    finally:
        plotter.close()


def _painted(mesh: trimesh.Trimesh, seen: Array, side: _Side, paint: _Paint) -> PolyCollection:
    """The triangles that face the viewer, the farthest first, in flat shades."""
    facing = mesh.face_normals @ side.axes[2]
    front = np.flatnonzero(facing > 0)
    depth = seen[mesh.faces[front], 2].mean(axis=1)
    order = front[np.argsort(depth, kind="stable")]
    colours = paint.of_vertices(len(mesh.vertices))[mesh.faces[order]].mean(axis=1) / 255
    shades = 0.35 + 0.65 * facing[order, None]
    return PolyCollection(
        list(seen[mesh.faces[order], :2]),
        facecolors=colours * shades,
        edgecolors="face",
        linewidths=0.3,
    )


def _colour_bar(figure: Figure, paint: _Paint, meaning: str) -> None:
    bar = figure.add_axes((0.945, 0.08, 0.015, 0.7))
    figure.colorbar(
        ScalarMappable(paint.scale, paint.colours),
        cax=bar,
        extend="both" if paint.signed else "max",
    )
    bar.set_title(f"mm\n{meaning}" if paint.signed else "mm", fontsize=9, color=INK)
