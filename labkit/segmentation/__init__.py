"""A mask of the structure, and its surface taken from the grey values.

The mask only says *which* surface belongs to the structure.  Where the surface lies
is read from the grey values between the voxels (flying edges at the threshold), so
that neither the staircase of the mask nor a smoothing of it moves it.
"""

from labkit.segmentation.isosurface import Surface as Surface
from labkit.segmentation.isosurface import extract_surface as extract_surface
from labkit.segmentation.labels import ImportedMask as ImportedMask
from labkit.segmentation.labels import LabelMap as LabelMap
from labkit.segmentation.labels import Segment as Segment
from labkit.segmentation.labels import SourceReferences as SourceReferences
from labkit.segmentation.labels import import_mask as import_mask
from labkit.segmentation.labels import structures_labelled as structures_labelled
from labkit.segmentation.labels import write_label_map as write_label_map
from labkit.segmentation.labels import write_mask as write_mask
from labkit.segmentation.labels import write_seg as write_seg
from labkit.segmentation.learned import learned_segmentation as learned_segmentation
from labkit.segmentation.masks import edges_touched as edges_touched
from labkit.segmentation.masks import segment as segment
from labkit.segmentation.presets import PRESETS as PRESETS
from labkit.segmentation.presets import check_threshold as check_threshold
