"""The mask that a stage is given: a file of another tool, or what a learned model finds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from labkit.case import Verdict
from labkit.errors import SegmentationError
from labkit.parameters import kept_as, named_structures
from labkit.segmentation.labels.importing import ImportedMask, import_mask, keep_mask
from labkit.segmentation.labels.label_map import LabelMap
from labkit.segmentation.learned import learned_segmentation
from labkit.segmentation.masks import check_unit
from labkit.volume import Volume

UNUSED = (
    "crop_lps_mm",
    "seeds_lps_mm",
    "components",
    "smallest_piece_mm3",
    "open_mm",
    "close_mm",
    "split_neck_mm",
    "fill_holes_mm3",
)
"""What makes a mask of a threshold, and leaves one that is given as it is."""


class Stage(Protocol):
    """What is needed of a stage."""

    parameters: Any
    details: dict[str, Any]
    tools: dict[str, str]

    def path(self, parameter: str, /) -> Path | None:
        """The place that a path parameter names."""

    def path_or_kept(self, parameter: str, name: str, /) -> Path | None:
        """As `path`, else the copy in the last revision."""

    def output(self, name: str, /) -> Path:
        """Where a product goes."""

    def check(
        self, name: str, value: str, verdict: Verdict, /, *, unit: str = "", limit: str = ""
    ) -> None:
        """Add a value with its limit and verdict."""

    def warn(self, text: str, /) -> None:
        """Add a sentence to the record."""

    def caveat(self, text: str, /) -> None:
        """Add a sentence to this and every later record."""


def given_mask(stage: Stage, volume: Volume) -> LabelMap | None:
    """The mask that stands in place of a threshold's, in the scan's voxels; None without one.

    A file of another tool is kept as ``imported.seg.nrrd``, in the voxels of the scan, with
    the hash of the file; the file itself may name the patient.  What the import cost becomes
    a check, and a model a caveat for all that follows.

    Raises
    ------
    SegmentationError
        No file where there should be one, or one where there should be none; or as
        `import_mask` and `learned_segmentation`.
    ToolMissingError
        No such model, or none of its weights, on this machine.
    ToolError
        The model failed.
    """
    source = stage.parameters.mask_from
    if source != "threshold":
        check_unit(volume)  # a model may take hours
        fields = type(stage.parameters).model_fields
        if unused := [n for n in UNUSED if getattr(stage.parameters, n) != fields[n].default]:
            stage.warn(f"the mask is taken whole: {', '.join(unused)} did not change it")
    if source == "file":
        return _of_a_file(stage, volume)
    kept = kept_as(type(stage.parameters).model_fields["mask_file"])
    named = stage.path("mask_file")
    if named is not None and named.name != kept:  # a copy that was kept is named by the run
        raise SegmentationError(
            f"a mask_file, but mask_from = {source}",
            expected="mask_from = file with a mask_file",
            where="02_segmentation, parameter mask_from",
            fix="set mask_from = file to take the mask, or leave mask_file empty",
        )
    return _of_a_model(stage, volume) if source == "model" else None


def _names(stage: Stage) -> tuple[str, ...]:
    return tuple(one.name for one in named_structures(stage.parameters.structures))


def _of_a_file(stage: Stage, volume: Volume) -> LabelMap:
    kept = kept_as(type(stage.parameters).model_fields["mask_file"])
    path = stage.path_or_kept("mask_file", kept)
    if path is None:
        raise SegmentationError(
            "mask_from = file without a mask_file",
            expected="a DICOM SEG, .seg.nrrd, NRRD or NIfTI that was made on this scan",
            where="02_segmentation, parameter mask_file",
            fix="name the file in mask_file, or set mask_from = threshold",
        )
    keep_mask(import_mask(path, volume, _names(stage)), stage.output(kept))
    mask = import_mask(stage.output(kept), volume)  # what a later run will see
    stage.details["mask_of_another_tool"] = _told(mask)
    for finding in mask.findings:
        stage.warn(f"mask of another tool: {finding}")
    stage.check(
        "mask of another tool",
        mask.findings[0] if mask.findings else "voxel for voxel",
        "action" if mask.findings else "pass",
        limit="this scan's voxels and frame of reference",
    )
    return mask.label_map


def _told(mask: ImportedMask) -> Mapping[str, Any]:
    return {
        "sha256": mask.sha256,
        "segments": [segment.name for segment in mask.label_map.segments.values()],
        "voxels": mask.voxels,
        "voxels_outside": mask.voxels_outside,
        "resampled": mask.resampled,
    }


def _of_a_model(stage: Stage, volume: Volume) -> LabelMap:
    found = learned_segmentation(volume, stage.parameters.model, structures=_names(stage))
    for segment in found.segments.values():
        stage.tools[segment.algorithm_name] = segment.algorithm_version
    name = ", ".join(sorted({segment.algorithm_name for segment in found.segments.values()}))
    stage.caveat(f"the mask was made by {name}, a learned model and no medical device")
    return found
