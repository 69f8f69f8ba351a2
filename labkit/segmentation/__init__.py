"""A mask of the structure, and its surface taken from the grey values.

The mask only says *which* surface belongs to the structure.  Where the surface lies
is read from the grey values between the voxels (flying edges at the threshold), so
that neither the staircase of the mask nor a smoothing of it moves it.
"""

from labkit.segmentation.checks import check_mask as check_mask
from labkit.segmentation.checks import check_surface as check_surface
from labkit.segmentation.editing import EditingStep as EditingStep
from labkit.segmentation.editing_map import EDITING_COLUMNS as EDITING_COLUMNS
from labkit.segmentation.editing_map import editing_map as editing_map
from labkit.segmentation.editing_map import editing_table as editing_table
from labkit.segmentation.extraction import Surface as Surface
from labkit.segmentation.extraction import SurfaceError as SurfaceError
from labkit.segmentation.extraction import extract_surface as extract_surface
from labkit.segmentation.given import given_mask as given_mask
from labkit.segmentation.label_surfaces import LabelSurfaces as LabelSurfaces
from labkit.segmentation.label_surfaces import extract_label_surfaces as extract_label_surfaces
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
from labkit.segmentation.masks import choose_threshold as choose_threshold
from labkit.segmentation.masks import edges_touched as edges_touched
from labkit.segmentation.masks import labels_of as labels_of
from labkit.segmentation.masks import segment as segment
from labkit.segmentation.presets import PRESETS as PRESETS
from labkit.segmentation.presets import check_threshold as check_threshold
from labkit.segmentation.review import Review as Review
from labkit.segmentation.spread import SPREAD_COLUMNS as SPREAD_COLUMNS
from labkit.segmentation.spread import Spread as Spread
from labkit.segmentation.spread import check_spread as check_spread
from labkit.segmentation.spread import spreads_of as spreads_of
from labkit.segmentation.spread import write_study as write_study
from labkit.segmentation.strokes import Corrections as Corrections
from labkit.segmentation.strokes import Stroke as Stroke
from labkit.segmentation.strokes import apply_strokes as apply_strokes
from labkit.segmentation.strokes import mask_sha256 as mask_sha256
from labkit.segmentation.structure_surfaces import StructureSurfaces as StructureSurfaces
from labkit.segmentation.structure_surfaces import extract_structures as extract_structures
from labkit.segmentation.structures import Structures as Structures
from labkit.segmentation.structures import structures_of as structures_of
from labkit.segmentation.thresholds import Threshold as Threshold
from labkit.segmentation.variability import designers as designers
from labkit.segmentation.variability import surfaces_of as surfaces_of
