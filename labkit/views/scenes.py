"""What k3d draws in the browser: a lighter copy of a surface, its sides, planes and places."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import k3d
import numpy as np
import numpy.typing as npt
import trimesh
from k3d.plot import Plot
from scipy.spatial import cKDTree

from labkit.views.ink import INK
from labkit.views.orientation import LPS
from labkit.views.surfaces import SHARP_DEGREES, Frame
from labkit.volume import Array

MOST_TRIANGLES = 50_000
"""Of what is drawn: 100,000 turn at 4 frames a second on a PC without a graphics card."""

ENDS: dict[str, Sequence[tuple[str, str]]] = {
    "LPS": LPS,
    "plate": (("left", "right"), ("front", "back"), ("bottom", "top")),
}
"""What lies at the lower and the upper end of each axis."""

WAYS = {"LPS": ("left–right", "front–back", "up–down"), "plate": ("X", "Y", "Z")}
"""What each axis is called."""

_HEIGHT_PX = 460
# k3d 3.2 drops words that are not in the camera's sight of a moment ago, and so often all
_NO_WORD_IS_LOST = "this.K3DInstance.getWorld().camera.frustum.containsPoint = () => true;"
_ROOM, _AWAY = 0.04, 0.15
"""Of the surface's diagonal: how far outside of it the scales and the words of its sides stand."""

_LINE = 0.025
"""Of a scene's reach: the radius of a place."""

Colours = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DisplayMesh:
    """A lighter copy of a surface, for the screen only: nothing is measured or printed from it.

    Parameters
    ----------
    points : (n, 3) float32, mm; along sharp edges there are two or more in one place.
    triangles : (m, 3) uint32.
    normals : (n, 3) float32.
    """

    points: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.uint32]
    normals: npt.NDArray[np.float32]

    def colours(self, mesh: trimesh.Trimesh, of_vertices: Colours) -> Colours:
        """(n, 3) uint8, RGB: those of the nearest vertices of the surface it was made of."""
        _, nearest = cKDTree(mesh.vertices).query(self.points)
        return of_vertices[nearest]


class Scene(Plot):  # type: ignore[misc]
    """k3d's plot, without what only its own menu needs."""

    def _handle_custom_msg(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        # 2.5 MB for saving the scene as a page, which the kit does not offer
        if content.get("msg_type") != "fetch_snapshot_source":
            super()._handle_custom_msg(content, buffers)


def display_mesh(mesh: trimesh.Trimesh) -> DisplayMesh:
    """A copy of a surface (mm) with at most `MOST_TRIANGLES` triangles."""
    import pyvista  # noqa: PLC0415  # half a second that only who looks on needs

    light = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
    if len(mesh.faces) > MOST_TRIANGLES:
        light = light.decimate(1 - MOST_TRIANGLES / len(mesh.faces))
    light = light.compute_normals(
        cell_normals=False,
        split_vertices=True,  # else flat faces beside fine ones look creased
        feature_angle=SHARP_DEGREES,
        consistent_normals=False,
    )
    return DisplayMesh(
        np.asarray(light.points, np.float32),
        np.asarray(light.regular_faces, np.uint32),
        np.asarray(light.point_normals, np.float32),
    )


def scene_of(shown: DisplayMesh, colours: Colours, frame: Frame) -> tuple[Scene, list[Any]]:
    """The surface in a box with scales in mm, and the words at its sides: two for each axis.

    Parameters
    ----------
    shown : mm in ``frame``.
    colours : (n, 3) uint8, RGB, one per point; or one for all, (1, 3).
    frame : the patient's (letters R L A P S I) or the printer's plate.
    """
    low, high = shown.points.min(axis=0), shown.points.max(axis=0)
    diagonal_mm = float(np.linalg.norm(high - low))
    room_mm, away_mm = _ROOM * diagonal_mm, _AWAY * diagonal_mm
    scene = Scene(
        height=_HEIGHT_PX,
        antialias=1,
        camera_auto_fit=False,
        grid_auto_fit=False,
        grid=[*(low - room_mm).tolist(), *(high + room_mm).tolist()],
        axes=["", "", ""],  # they would stand on their own numbers; the sides have words
        axes_helper=0.0,
        camera_mode="orbit",
        camera_up_axis="z",
        camera_fov=20.0,
        menu_visibility=False,
        label_color=packed(INK),
        additional_js_code=_NO_WORD_IS_LOST,
    )
    own = {"color": _packed(colours)[0]} if len(colours) == 1 else {"colors": _packed(colours)}
    scene += k3d.mesh(
        shown.points,
        shown.triangles,
        normals=shown.normals,
        flat_shading=False,
        side="double",  # a cut shows the inside
        roughness=0.9,
        **own,
    )
    sides = []
    for axis, ends in enumerate(ENDS[frame]):
        for letter, at_mm in zip(ends, (low[axis] - away_mm, high[axis] + away_mm), strict=True):
            place = (low + high) / 2
            place[axis] = at_mm
            sides.append(words(letter, place))
            scene += sides[-1]
    return scene, sides


def words(text: str, place: Array, *, colour: str = INK) -> Any:
    """A word at a place, (3,) mm, in front of all else."""
    return k3d.text(
        text,
        position=np.asarray(place, float).tolist(),
        color=packed(colour),
        reference_point="cc",
        is_html=True,
    )


class Sketch:
    """Planes, lines and places drawn into a scene, and drawn anew when they move.

    Parameters
    ----------
    scene : where to.
    reach_mm : half the diagonal of what is shown: how large a plane is drawn.
    """

    def __init__(self, scene: Scene, reach_mm: float) -> None:
        self._reach_mm = reach_mm
        nothing = np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.uint32)
        look = {"flat_shading": True, "side": "double", "visible": False, "colors": [0] * 3}
        self._sheets = k3d.mesh(*nothing, opacity=0.4, **look)
        self._solids = k3d.mesh(*nothing, **look)
        self._words: list[Any] = []
        self._scene = scene
        scene += self._sheets
        scene += self._solids

    def draw(
        self,
        *,
        planes: Sequence[tuple[Array, Array, str]] = (),
        lines: Sequence[tuple[Array, str]] = (),
        names: Sequence[tuple[str, Array]] = (),
    ) -> None:
        """Draw these in place of what was drawn before; mm in the scene's frame.

        Parameters
        ----------
        planes : a place on each, its normal, both (3,), and its colour.
        lines : (k, 3) places that a line joins, one alone as a ball, and their colour.
        names : words and where they stand.
        """
        size_mm = 0.8 * self._reach_mm
        sheets = [(_sheet(on, normal, size_mm), colour) for on, normal, colour in planes]
        thick_mm = _LINE * self._reach_mm
        solids = [(_tube(points, thick_mm), colour) for points, colour in lines]
        for mesh, parts in ((self._sheets, sheets), (self._solids, solids)):
            self._fill(mesh, parts)
        for word in self._words[len(names) :]:
            self._scene -= word
        del self._words[len(names) :]
        for word, (text, place) in zip(self._words, names, strict=False):
            word.text, word.position = text, np.asarray(place, float).tolist()
        for text, place in names[len(self._words) :]:
            self._words.append(words(text, place))
            self._scene += self._words[-1]

    @staticmethod
    def _fill(mesh: Any, parts: Sequence[tuple[trimesh.Trimesh, str]]) -> None:
        mesh.visible = bool(parts)
        if not parts:
            return
        before = np.cumsum([0, *(len(part.vertices) for part, _ in parts)])
        points = np.vstack([part.vertices for part, _ in parts]).astype(np.float32)
        faces = [part.faces + first for (part, _), first in zip(parts, before, strict=False)]
        triangles = np.vstack(faces).astype(np.uint32)
        colours = [np.full(len(part.vertices), packed(colour)) for part, colour in parts]
        # k3d draws after each of these: no triangle may ever want a point that is not there
        if len(points) < len(mesh.vertices):
            mesh.indices = triangles
        mesh.vertices = points
        mesh.colors = np.concatenate(colours).astype(np.uint32)
        if not np.array_equal(mesh.indices, triangles):
            mesh.indices = triangles


def _sheet(on: Array, normal: Array, half_mm: float) -> trimesh.Trimesh:
    to_plane = np.asarray(trimesh.geometry.align_vectors((0, 0, 1), normal), float)
    to_plane[:3, 3] = on
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half_mm
    points = trimesh.transform_points(corners, to_plane)
    return trimesh.Trimesh(points, [[0, 1, 2], [0, 2, 3]], process=False)


def _tube(points: Array, thick_mm: float) -> trimesh.Trimesh:
    parts: list[Any] = [trimesh.creation.icosphere(subdivisions=2, radius=thick_mm)]
    parts[0].apply_translation(points[0])
    for segment in pairwise(points):
        if np.linalg.norm(segment[1] - segment[0]) > 1e-6:
            rod = trimesh.creation.cylinder(thick_mm / 2, segment=np.array(segment), sections=12)
            parts.append(rod)
    made = trimesh.util.concatenate(parts)
    assert isinstance(made, trimesh.Trimesh)
    return made


def packed(colour: str) -> int:
    """A colour as k3d takes it, from ``#rrggbb``."""
    return int(colour.removeprefix("#"), 16)


def _packed(colours: Colours) -> list[int]:
    red, green, blue = colours.astype(np.uint32).T
    return list((red << 16 | green << 8 | blue).tolist())
