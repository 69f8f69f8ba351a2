"""Pins that hold loose pieces where they belong."""

import manifold3d
import numpy as np
from scipy.spatial import cKDTree

from labkit.design.solids import joined, rod
from labkit.errors import DesignError
from labkit.surface import mesh_of, pieces

MOST_FRAGMENTS = 30
_SPACING_MM = 1.0


def pins(body: manifold3d.Manifold, diameter_mm: float) -> tuple[manifold3d.Manifold, list[float]]:
    """Pins that join all pieces of a body, each where two are nearest, and the gaps, mm.

    They begin and end one diameter inside the pieces, and follow the shortest way from
    each piece to what is joined already (Prim's spanning tree).

    Raises
    ------
    DesignError
        More than `MOST_FRAGMENTS` pieces.
    """
    largest_first = sorted(pieces(body), key=lambda piece: -piece.volume())
    if len(largest_first) > MOST_FRAGMENTS:
        raise DesignError(
            f"{len(largest_first)} loose pieces to be pinned",
            expected=f"at most {MOST_FRAGMENTS}",
            where="03_design, fragments",
            fix="leave small pieces out in stage 02_segmentation (smallest_piece_mm3)",
        )
    points = [
        np.asarray(mesh_of(piece.refine_to_length(_SPACING_MM)).vertices) for piece in largest_first
    ]
    held, loose = points[0], points[1:]
    rods, gaps = [], []
    while loose:
        tree = cKDTree(held)
        found = [np.asarray(tree.query(each)) for each in loose]  # distance, index
        nearest = int(np.argmin([distance.min() for distance, _ in found]))
        distance, index = found[nearest]
        end = int(distance.argmin())
        start, stop = held[int(index[end])], loose[nearest][end]
        gaps.append(float(distance[end]))
        sunk = (stop - start) / gaps[-1] if gaps[-1] > 1e-9 else np.array([0.0, 0, 1])
        rods.append(rod(start - sunk * diameter_mm, stop + sunk * diameter_mm, diameter_mm))
        held = np.vstack([held, loose.pop(nearest)])
    return joined(rods), gaps
