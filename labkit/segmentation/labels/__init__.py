"""Masks from and to other tools: DICOM SEG, ``.seg.nrrd`` of 3D Slicer, NRRD, NIfTI.

::

    a file ─► StoredLabels, where the file puts them ─► ImportedMask, in the scan's voxels
    LabelMap ─► mask.seg.nrrd, mask.dcm
"""

from labkit.segmentation.labels.dicom_seg import SourceReferences as SourceReferences
from labkit.segmentation.labels.dicom_seg import write_seg as write_seg
from labkit.segmentation.labels.importing import ImportedMask as ImportedMask
from labkit.segmentation.labels.importing import import_mask as import_mask
from labkit.segmentation.labels.label_map import LabelMap as LabelMap
from labkit.segmentation.labels.label_map import Segment as Segment
from labkit.segmentation.labels.label_map import structures_labelled as structures_labelled
from labkit.segmentation.labels.seg_nrrd import write_label_map as write_label_map
from labkit.segmentation.labels.seg_nrrd import write_mask as write_mask
