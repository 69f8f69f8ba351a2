"""Touching bones taken apart at their necks."""

from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
import SimpleITK
from scipy import ndimage

from labkit.segmentation.pieces import bounding_box, filled
from labkit.segmentation.runs import Inside
from labkit.volume import Array

_Labels = npt.NDArray[np.unsignedinteger[Any]]


def split_at_necks(mask: Inside, spacing_mm: Array, neck_mm: float) -> _Labels:
    """The bodies of a mask (k, j, i): 0 outside, else one value per body.

    What hangs together only by necks narrower than ``neck_mm`` becomes bodies of its own.
    A body's core is what lies deeper than half of that; from the cores the bodies grow
    outwards until they meet, where the structure is narrowest (watershed of the distance
    to the surface: Meyer and Beucher 1990, doi 10.1016/1047-3203(90)90014-M).  Marrow counts
    as bone here, also where a shaft is cut off by the first or the last image: a cortex
    alone is thinner than most necks.

    Restrictions
    ------------
    Only the shape counts: bones joined over a face wider than ``neck_mm`` stay one, and a
    bone with a waist narrower than it is parted there, a porous one in many places.  Look at
    the bodies before any is left out.  Pieces too thin to have a core stay
    whole where they stand alone, and otherwise go with the body they hang on.
    """
    box = bounding_box(mask, (1, 1, 1))
    if box is None:
        return np.zeros(mask.shape, np.uint8)
    solid = _solid(mask[box])
    image = SimpleITK.GetImageFromArray(solid.view(np.uint8))
    image.SetSpacing([float(step) for step in spacing_mm])
    depth = SimpleITK.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    deep = SimpleITK.GetArrayViewFromImage(depth) < -neck_mm / 2
    cores = _connected(deep & solid)
    markers = SimpleITK.GetImageFromArray(cores.astype(np.uint32))
    markers.CopyInformation(depth)
    grown = SimpleITK.MorphologicalWatershedFromMarkers(
        depth, markers, markWatershedLine=False, fullyConnected=True
    )
    bodies = SimpleITK.GetArrayFromImage(grown) * mask[box]
    pieces = _connected(solid)
    with_core = np.zeros(int(pieces.max()) + 1, np.bool_)
    with_core[pieces[deep]] = True
    alone = _connected(mask[box] & ~with_core[pieces])
    bodies[alone > 0] = alone[alone > 0] + cores.max()
    result = np.zeros(mask.shape, np.min_scalar_type(int(bodies.max())))
    result[box] = bodies
    return result


def _connected(mask: Inside) -> _Labels:
    return np.asarray(cc3d.connected_components(mask, connectivity=26, binary_image=True))


def _solid(mask: Inside) -> Inside:
    """The mask with all that it encloses, in space or in one image."""
    solid = np.stack([ndimage.binary_fill_holes(image) for image in mask])
    return filled(solid, np.ones(3), np.inf)
