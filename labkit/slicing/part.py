"""The part before slicing: an STL that PrusaSlicer will not misread in silence."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import trimesh

from labkit.equipment import PrinterProfile
from labkit.errors import SlicingError
from labkit.slicing.bodies import swallowed_at

SMALLEST_MM = 1.0
"""A part smaller than this in every direction was most likely drawn in metres."""

FARTHEST_MM = 1e6
"""A coordinate beyond a kilometre is damage; near the largest number corners no longer compare."""


def read_bounds_mm(stl: Path) -> npt.NDArray[np.float64]:
    """Bounds of a closed part in an STL, (2, 3) float64, mm, the file's own frame.

    PrusaSlicer closes holes and loses cavities whose facets are turned over without
    a word, and ends with exit code 0; so such a part is refused here.

    Raises
    ------
    SlicingError
        No such file, not an STL, empty or cut off, coordinates that are no numbers,
        a surface with holes or turned facets, a cavity turned over, or a part drawn in
        metres.
    """
    if not stl.is_file():
        raise _refused(stl, f"no file {stl.name}", "run the design stage first")
    if stl.suffix.lower() != ".stl":
        # a 3MF or AMF may carry settings that run programs (CVE-2023-47268)
        raise _refused(stl, f"a {stl.suffix or 'nameless'} file", "export the part as STL")
    if not stl.stat().st_size:
        raise _refused(stl, f"{stl.name} is empty", "run the design stage again")
    try:
        mesh = trimesh.load_mesh(stl, file_type="stl", process=False)
        triangles = np.asarray(mesh.triangles, dtype=np.float64)
    except Exception as error:  # trimesh raises whatever the bytes lead it to
        raise _refused(stl, f"{stl.name} cannot be read as STL", "export the part again") from error
    if not len(triangles):
        raise _refused(
            stl, f"{stl.name} holds no triangles, or was cut off", "run the design stage again"
        )
    if not np.isfinite(triangles).all():
        raise _refused(
            stl, f"{stl.name} has coordinates that are no numbers", "export the part again"
        )
    bounds = np.array([triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))])
    if (farthest := float(np.abs(bounds).max())) > FARTHEST_MM:
        raise _refused(
            stl, f"{stl.name} has a corner at {farthest:.2g} mm", "export the part again"
        )
    size = bounds[1] - bounds[0]
    if size.max() < SMALLEST_MM:
        raise _refused(
            stl,
            f"the part is {size.max():.3g} mm long at most: drawn in metres?",
            "export the part in millimetres",
        )
    mesh.merge_vertices()
    if fault := _open_or_turned(mesh):
        raise _refused(
            stl, f"the surface of {stl.name} has {fault}", "repair the part in the design stage"
        )
    volume = float(np.linalg.det(triangles - bounds.mean(axis=0)).sum())
    if volume <= 0:
        wrong = "is inside out" if volume < 0 else "encloses no volume"
        raise _refused(stl, f"the surface of {stl.name} {wrong}", "repair it in the design stage")
    if (place := swallowed_at(mesh)) is not None:
        where = ", ".join(f"{value:.1f}" for value in place)
        raise _refused(
            stl,
            f"{stl.name} has a body inside another at {where} mm: a cavity turned inside out, "
            "which the slicer would fill",
            "turn the cavity's surface over or take the body out, in the design stage",
        )
    return bounds


def _open_or_turned(mesh: trimesh.Trimesh) -> str:
    """What keeps a surface from being closed, how often, and where first; else nothing."""
    faces = np.asarray(mesh.faces, dtype=np.int64)
    edges = np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = np.sort(edges[:, 0] * len(mesh.vertices) + edges[:, 1])
    back = np.sort(edges[:, 1] * len(mesh.vertices) + edges[:, 0])
    if np.array_equal(there, back):
        return ""
    low, high = edges.min(axis=1), edges.max(axis=1)
    _, first, of, count = np.unique(
        low * len(mesh.vertices) + high, return_index=True, return_inverse=True, return_counts=True
    )
    balance = np.bincount(of, weights=np.sign(edges[:, 1] - edges[:, 0]))
    wrong = np.flatnonzero(balance != 0)
    is_open = bool((count[wrong] % 2).any())
    one = wrong[np.argmax(count[wrong] % 2)]
    place = np.asarray(mesh.vertices)[edges[first[one]]].mean(axis=0)
    kind = "holes" if is_open else "facets that are turned over"
    where = ", ".join(f"{value:.1f}" for value in place)
    return f"{kind}: {len(wrong)} edges do not fit together, one at {where} mm"


def check_fits(bounds_mm: npt.NDArray[np.float64], printer: PrinterProfile) -> None:
    """Compare a part's size with the printer's bed and height.

    Raises
    ------
    SlicingError
        The part is larger than the printer in x, y or z (PrusaSlicer 2.5 does not
        notice z).
    """
    room = printer.room_mm
    size = bounds_mm[1] - bounds_mm[0]
    if wrong := [axis for axis in range(3) if size[axis] > room[axis]]:
        raise SlicingError(
            f"the part is {' × '.join(f'{value:.1f}' for value in size)} mm: too large in "
            + ", ".join("xyz"[axis] for axis in wrong),
            expected=f"at most {' × '.join(f'{value:g}' for value in room)} mm",
            where=f"printer {printer.name}",
            fix="cut or turn the part in the design stage, or choose a larger printer",
        )


def _refused(stl: Path, found: str, fix: str) -> SlicingError:
    return SlicingError(
        found, expected="a closed part in millimetres, as STL", where=str(stl.parent), fix=fix
    )
