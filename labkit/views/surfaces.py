"""A surface from two sides, with its size, and with a signed map of distances if there is one."""

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

from labkit.errors import ToolMissingError
from labkit.views import offscreen
from labkit.views.picture import (
    BONE,
    DEVIATION,
    INK,
    PAPER,
    Picture,
    edge_letters,
    new_figure,
    picture_of,
    scale_bar,
)
from labkit.volume import Array

Frame = Literal["LPS", "plate"]

_WIDTH_PX, _HEIGHT_PX = 1200, 560
_SHARP_DEGREES, _OUTLINED_DEGREES = 50.0, 75.0


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
        right, up = np.array(self.right, float), np.array(self.up, float)
        return np.stack([right, up, np.cross(right, up)])


_SIDES: dict[str, tuple[_Side, _Side]] = {
    "LPS": (
        _Side("from the front", (1, 0, 0), (0, 0, 1), ("R", "L", "S", "I")),
        _Side("from the patient's left", (0, 1, 0), (0, 0, 1), ("A", "P", "S", "I")),
    ),
    "plate": (
        _Side("from the front", (1, 0, 0), (0, 0, 1), ("", "X", "Z", "")),
        _Side("from above", (1, 0, 0), (0, 1, 0), ("", "X", "Y", "")),
    ),
}
_NAMES = {"LPS": ("R to L", "A to P", "I to S"), "plate": ("X", "Y", "Z")}


def surface(
    mesh: trimesh.Trimesh,
    *,
    frame: Frame = "LPS",
    title: str = "",
    distances_mm: Array | None = None,
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
    """
    if distances_mm is not None and len(distances_mm) != len(mesh.vertices):
        raise ValueError(f"{len(distances_mm)} distances for {len(mesh.vertices)} vertices")
    limit_mm = 0.0
    if distances_mm is not None:
        limit_mm = max(float(np.percentile(np.abs(distances_mm), 99)), 1e-3)
    paint = _Paint(distances_mm, limit_mm)
    size_mm = mesh.extents
    figure = new_figure(_WIDTH_PX, _HEIGHT_PX, title)
    with_gl = _graphics()
    for side, place in zip(_SIDES[frame], _places(distances_mm is not None), strict=True):
        ax = figure.add_axes(place)
        _draw(ax, mesh, side, paint, with_gl)
    words = " × ".join(
        f"{mm:.1f} mm ({name})" for mm, name in zip(size_mm, _NAMES[frame], strict=True)
    )
    alt = f"{title + ': ' if title else ''}a surface of {words}"
    if distances_mm is not None:
        _colour_bar(figure, paint)
        alt += f", coloured by its distances from {-limit_mm:.2g} to {limit_mm:.2g} mm"
    if not with_gl:
        words += " · drawn without a graphics library"
    figure.text(0.99, 0.975, words, ha="right", va="top", fontsize=9, color=INK)
    names = " and ".join(side.name for side in _SIDES[frame])
    return picture_of(figure, f"{alt}; seen {names}.")


class _Paint:
    """The colours of the vertices."""

    def __init__(self, distances_mm: Array | None, limit_mm: float) -> None:
        self.values = distances_mm
        self.limit_mm = limit_mm
        self.colours: Colormap = ListedColormap([BONE]) if distances_mm is None else DEVIATION

    @property
    def scale(self) -> Normalize:
        return Normalize(-self.limit_mm or -1.0, self.limit_mm or 1.0)

    def of_vertices(self, count: int) -> npt.NDArray[np.uint8]:
        """(n, 3) uint8, RGB."""
        values = np.zeros(count) if self.values is None else self.values
        rgba = self.colours(self.scale(values), bytes=True)
        return np.asarray(rgba, np.uint8)[:, :3]


def _graphics() -> bool:
    try:
        offscreen.prepare()
    except ToolMissingError:
        return False
    return True


def _places(with_bar: bool) -> list[tuple[float, float, float, float]]:
    width = 0.45 if with_bar else 0.48
    return [(0.01, 0.02, width, 0.83), (0.02 + width, 0.02, width, 0.83)]


def _draw(ax: Axes, mesh: trimesh.Trimesh, side: _Side, paint: _Paint, with_gl: bool) -> None:
    seen = mesh.vertices @ side.axes.T  # right, up, towards the viewer
    low, high = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    box = ax.get_position()
    width_px, height_px = round(box.width * _WIDTH_PX), round(box.height * _HEIGHT_PX)
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
    ax.set_xlim(-half[0], half[0])
    ax.set_ylim(-half[1], half[1])
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(side.name, fontsize=10, color=INK)
    edge_letters(ax, *side.letters, color=INK, rim=PAPER)
    scale_bar(ax, 2 * float(half[0]), color=INK, rim=PAPER)


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
            feature_angle=_SHARP_DEGREES,
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


def _colour_bar(figure: Figure, paint: _Paint) -> None:
    bar = figure.add_axes((0.945, 0.08, 0.015, 0.7))
    figure.colorbar(ScalarMappable(paint.scale, paint.colours), cax=bar, extend="both")
    bar.set_title("mm\n+ outside", fontsize=9, color=INK)
