"""A mask of the structure, and its surface taken from the grey values.

The mask only says *which* surface belongs to the structure.  Where the surface lies
is read from the grey values between the voxels (flying edges at the threshold), so
that neither the staircase of the mask nor a smoothing of it moves it.
"""

from dataclasses import dataclass
from pathlib import Path

import cc3d
import manifold3d
import numpy as np
import numpy.typing as npt
import pyvista
import trimesh

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation, Structure
from labkit.surface import Distances, distances, mesh_of, solid
from labkit.volume import AIR_HU, Array, Volume, write_array


@dataclass(frozen=True)
class Preset:
    """The grey values of a structure in CT.

    ``low_hu`` and ``high_hu`` bound the thresholds that make sense for it.
    """

    threshold_hu: int
    low_hu: int
    high_hu: int
    terminology: str


_TERMS = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^{}~^^~Anatomic codes - DICOM master list~^^~^^"
)
PRESETS: dict[Structure, Preset] = {
    "bone": Preset(300, 120, 1500, _TERMS.format("272673000^Bone")),
    "soft tissue": Preset(-150, -250, 100, _TERMS.format("87784001^Soft tissue")),
    "skin": Preset(-300, -700, -150, _TERMS.format("39937001^Skin")),
}
"""Grey values by structure.  Bone: 226 to 300 HU are the usual lower limits for bone
in CT (Mimics' preset is 226); air is −1000 and water 0 HU by definition, and fat lies
near −100 HU, hence the windows of soft tissue and skin."""

SMALLEST_PIECE_MM3 = 1.0
"""Fragments of the surface below this are noise of a few voxels."""

PINCH_MM = 0.002
"""Far below what a printer resolves, far above the rounding of STL's 32-bit numbers."""


@dataclass(frozen=True)
class Surface:
    """A closed surface in the patient and what was left out on the way to it."""

    mesh: trimesh.Trimesh
    full_triangles: int
    handles: int
    dropped_pieces: int
    edit: Distances


def check_threshold(parameters: Segmentation) -> None:
    """See that the threshold makes sense for the structure.

    Raises
    ------
    SegmentationError
        It lies outside the structure's window.
    """
    preset = PRESETS[parameters.structure]
    if not preset.low_hu <= parameters.threshold_hu <= preset.high_hu:
        nearest = min(max(parameters.threshold_hu, preset.low_hu), preset.high_hu)
        raise SegmentationError(
            f"threshold_hu = {parameters.threshold_hu} for {parameters.structure}",
            expected=f"{preset.low_hu} to {preset.high_hu} HU, usually {preset.threshold_hu}",
            where="02_segmentation",
            fix=f"the nearest valid value is threshold_hu = {nearest}, or choose another structure",
        )


def segment(volume: Volume, parameters: Segmentation) -> npt.NDArray[np.uint8]:
    """The mask (k, j, i) uint8 of the structure: 1 inside, 0 outside.

    Voxels above the threshold; of these the largest connected pieces (26
    neighbours); enclosed cavities up to ``fill_holes_mm3`` filled.

    Restrictions
    ------------
    Touching bones are one piece.  Metal and contrast agent lie above the threshold too.

    Raises
    ------
    SegmentationError
        Nothing, or nearly everything, lies above the threshold.
    """
    check_threshold(parameters)
    above = volume.voxels > parameters.threshold_hu
    share = float(above.mean())
    if not 1e-6 < share < 0.999:
        raise SegmentationError(
            f"{share:.2%} of the scan lies above {parameters.threshold_hu} HU",
            expected="a structure that stands out from its surroundings",
            where=f"grey values from {volume.voxels.min()} to {volume.voxels.max()} HU",
            fix="choose a threshold inside that range, or another series",
        )
    mask = (cc3d.largest_k(above, k=parameters.components, connectivity=26) > 0).astype(np.uint8)
    mask[_small_cavities(mask, volume, parameters.fill_holes_mm3)] = 1
    return mask


def extract_surface(
    volume: Volume, mask: npt.NDArray[np.uint8], parameters: Segmentation
) -> Surface:
    """The closed surface of the masked structure at the threshold, in LPS mm.

    Watertight, manifold and oriented outwards; made lighter (manifold3d ``simplify``)
    until the measured distance to the full surface would exceed
    ``decimation_bound_mm``.

    Raises
    ------
    SegmentationError
        The mask is empty, or holds nothing of printable size.
    DesignError
        The surface is not closed.
    """
    points, triangles = _isosurface(volume, mask, parameters.threshold_hu)
    full = solid(points, triangles, "the surface at this threshold")
    kept, dropped = _main_pieces(full, parameters.components)
    reference = mesh_of(kept)
    light, edit = _lighter(kept, reference, parameters.decimation_bound_mm)
    return Surface(
        mesh=_pinches_opened(mesh_of(light)),
        full_triangles=len(reference.faces),
        handles=light.genus(),
        dropped_pieces=dropped,
        edit=edit,
    )


def edges_touched(mask: npt.NDArray[np.uint8]) -> list[str]:
    """Which sides of the field of view the structure runs into: it is cut off there."""
    sides = {
        "first image": mask[0],
        "last image": mask[-1],
        "first row": mask[:, 0],
        "last row": mask[:, -1],
        "first column": mask[:, :, 0],
        "last column": mask[:, :, -1],
    }
    return [name for name, side in sides.items() if side.any()]


def write_mask(
    mask: npt.NDArray[np.uint8], volume: Volume, structure: Structure, path: Path
) -> None:
    """Write the mask as ``.seg.nrrd``: 3D Slicer opens it in place, with name and colour."""
    k, j, i = mask.shape
    header = {
        "space": "left-posterior-superior",
        "space directions": (volume.direction * volume.spacing_mm).T,
        "space origin": volume.origin_lps_mm,
        "kinds": ["domain", "domain", "domain"],
        "encoding": "gzip",
        "Segment0_ID": "Segment_1",
        "Segment0_Name": structure,
        "Segment0_NameAutoGenerated": "0",
        "Segment0_Color": "0.945 0.839 0.569",
        "Segment0_ColorAutoGenerated": "0",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
        "Segment0_Extent": f"0 {i - 1} 0 {j - 1} 0 {k - 1}",
        "Segment0_Tags": f"TerminologyEntry:{PRESETS[structure].terminology}|",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    write_array(np.transpose(mask), header, path)


def _small_cavities(
    mask: npt.NDArray[np.uint8], volume: Volume, limit_mm3: float
) -> npt.NDArray[np.bool_]:
    outside = cc3d.connected_components(mask == 0, connectivity=6)
    sizes_mm3 = np.bincount(outside.ravel()) * float(np.prod(volume.spacing_mm))
    fill = sizes_mm3 <= limit_mm3
    fill[0] = False  # the structure itself
    for side in (
        outside[0],
        outside[-1],
        outside[:, 0],
        outside[:, -1],
        outside[:, :, 0],
        outside[:, :, -1],
    ):
        fill[np.unique(side)] = False
    return np.asarray(fill[outside])


def _isosurface(
    volume: Volume, mask: npt.NDArray[np.uint8], threshold_hu: int
) -> tuple[Array, npt.NDArray[np.int64]]:
    inside = mask > 0
    if not inside.any():
        raise SegmentationError(
            "an empty mask",
            expected="at least one voxel of the structure",
            where="02_segmentation",
            fix="lower the threshold",
        )
    box = tuple(
        slice(max(int(hit[0]) - 2, 0), int(hit[-1]) + 3)
        for axis in range(3)
        if (hit := np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))).size
    )
    hu, inside = volume.voxels[box].copy(), inside[box]
    hu[(hu > threshold_hu) & ~inside] = AIR_HU  # other structures at this grey value
    hu[(hu <= threshold_hu) & inside] = threshold_hu + 1  # filled cavities
    hu = np.pad(hu, 1, constant_values=min(AIR_HU, threshold_hu))
    image = pyvista.ImageData(dimensions=hu.shape[::-1])
    image.point_data["hu"] = hu.ravel()
    # Between two whole numbers no grey value equals the level: no degenerate triangles.
    contour = image.contour(
        [threshold_hu + 0.5],
        scalars="hu",
        method="flying_edges",
        compute_normals=False,
        compute_scalars=False,
    )
    offset_ijk = np.array([part.start for part in box[::-1]]) - 1
    points = volume.to_lps(np.asarray(contour.points, float) + offset_ijk)
    return points, np.asarray(contour.regular_faces, np.int64)


def _main_pieces(surface: manifold3d.Manifold, count: int) -> tuple[manifold3d.Manifold, int]:
    """The ``count`` largest bodies with their large cavities, and how many bits were dropped."""
    pieces = sorted(surface.decompose(), key=lambda piece: -piece.volume())
    bodies = [piece for piece in pieces[:count] if piece.volume() > SMALLEST_PIECE_MM3]
    cavities = [piece for piece in pieces if piece.volume() < -SMALLEST_PIECE_MM3]
    if not bodies:
        raise SegmentationError(
            f"nothing larger than {SMALLEST_PIECE_MM3:g} mm3",
            expected="a structure of printable size",
            where="02_segmentation",
            fix="lower the threshold",
        )
    # Put side by side as triangles: a Boolean would lose the cavities' inner surfaces.
    meshes = [mesh_of(piece) for piece in bodies + cavities]
    first = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    points = np.vstack([mesh.vertices for mesh in meshes])
    faces = np.vstack([mesh.faces + start for mesh, start in zip(meshes, first, strict=True)])
    return solid(points, faces, "the largest pieces"), len(pieces) - len(meshes)


def _lighter(
    full: manifold3d.Manifold, reference: trimesh.Trimesh, bound_mm: float
) -> tuple[manifold3d.Manifold, Distances]:
    """The body with fewer triangles, and how far its surface lies from the full one.

    The tolerance of ``simplify`` holds for one step and not for their sum, so the
    distance is measured and the tolerance halved until the bound holds.
    """
    tolerance_mm = bound_mm
    for _ in range(8 if bound_mm else 0):
        light = full.simplify(tolerance_mm)
        edit = distances(reference.vertices, mesh_of(light))
        if edit.max_mm <= bound_mm:
            return light, edit
        tolerance_mm *= 0.6
    return full, Distances(0.0, 0.0, 0.0, 0.0, 0.0)


def _pinches_opened(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh with points that only touch drawn apart, inwards, by micrometres.

    A manifold body may touch itself at a point or an edge.  STL joins points by
    position, and would join such a place to an edge with four triangles.
    """
    points = np.array(mesh.vertices)
    for _ in range(10):
        _, place, count = np.unique(
            points.astype(np.float32), axis=0, return_inverse=True, return_counts=True
        )
        touching = count[place.ravel()] > 1
        if not touching.any():
            break
        points[touching] -= PINCH_MM * mesh.vertex_normals[touching]
    return trimesh.Trimesh(points, mesh.faces, process=False)
