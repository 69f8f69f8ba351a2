"""A mask that another tool made, brought to the scan it was made on."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from labkit.errors import SegmentationError
from labkit.files import sha256_of
from labkit.home import pseudonym_uid
from labkit.segmentation.labels.dicom_seg_stored import stored_seg
from labkit.segmentation.labels.label_map import Algorithm, LabelMap, Labels, Segment
from labkit.segmentation.labels.nifti import image_of, stored_nifti
from labkit.segmentation.labels.seg_nrrd import stored_nrrd, write_label_map
from labkit.segmentation.labels.stored import StoredLabels, cannot_be_placed, empty, unreadable
from labkit.volume import FARTHEST_MM, VOXEL_MM, Array, Volume, spacing_of

RIGHT_ANGLES = 1e-3
"""Beyond this the axes are sheared (labkit's own)."""

SAME_VOXEL = 0.05
"""Voxels whose centres are closer than this, in voxels, are the same (labkit's own)."""

LEAST_INSIDE = 0.5
"""A mask of unknown frame with less of its voxels in the scan belongs to another scan
(labkit's own)."""


@dataclass(frozen=True)
class ImportedMask:
    """A mask of another tool in the voxels of the scan, and what that cost.

    Parameters
    ----------
    label_map : in the voxels of the scan.
    resampled : whether its voxels were not the scan's, so that borders moved by up to half
        a voxel (nearest neighbour).
    voxels : of all segments taken, in the file.
    voxels_outside : of these, how many lie outside the scan and are lost.
    findings : what a person should know, a sentence each.
    sha256 : of the file that the other tool wrote; empty where there was none.
    """

    label_map: LabelMap
    resampled: bool
    voxels: int
    voxels_outside: int
    findings: tuple[str, ...]
    sha256: str = ""


def import_mask(path: Path, volume: Volume, names: tuple[str, ...] = ()) -> ImportedMask:
    """The segments of a DICOM SEG, ``.seg.nrrd``, NRRD or NIfTI in the voxels of the scan.

    Parameters
    ----------
    names : of the segments to take; all without.

    Raises
    ------
    SegmentationError
        No such file or no mask in it, segments that overlap, a mask of another frame of
        reference, or one that does not lie in the scan.
    """
    stored = _stored(path, names)
    found = bring_to_scan(stored, volume)
    if stored.origin:
        return _as_first_imported(found, stored)
    return replace(found, sha256=sha256_of(path))


def keep_mask(imported: ImportedMask, path: Path) -> None:
    """Write an imported mask in the voxels of the scan, with what `import_mask` found.

    Imported again from there it says the same of the first file: its hash, what was lost.
    Nothing else of that file is kept, since it may name the patient.
    """
    names = ("resampled", "voxels", "voxels_outside", "findings", "sha256")
    origin = {name: getattr(imported, name) for name in names}
    made = {
        str(value): [segment.algorithm, segment.algorithm_name, segment.algorithm_version]
        for value, segment in imported.label_map.segments.items()
    }
    write_label_map(imported.label_map, path, {**origin, "made": made})


def _as_first_imported(found: ImportedMask, stored: StoredLabels) -> ImportedMask:
    try:
        origin = dict(stored.origin)
        segments: dict[int, Segment] = {}
        for value, segment in found.label_map.segments.items():
            algorithm, name, version = origin["made"][str(value)]
            if algorithm not in get_args(Algorithm):
                raise ValueError(algorithm)
            segments[value] = replace(
                segment, algorithm=algorithm, algorithm_name=name, algorithm_version=version
            )
        return ImportedMask(
            replace(found.label_map, segments=segments),
            resampled=bool(origin["resampled"]) or found.resampled,
            voxels=int(origin["voxels"]),
            voxels_outside=int(origin["voxels_outside"]) + found.voxels_outside,
            findings=tuple(dict.fromkeys([*origin["findings"], *found.findings])),
            sha256=str(origin["sha256"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable("kept mask", "its header was changed") from error


def bring_to_scan(stored: StoredLabels, volume: Volume) -> ImportedMask:
    """Stored labels in the voxels of the scan; copied where the voxels are the same.

    Raises
    ------
    SegmentationError
        No voxel, another frame of reference, or a place that is not in the scan.
    """
    _check_place(stored)
    if not stored.labels.any():
        raise empty()
    findings = list(stored.findings)
    named = _same_frame(stored, volume)
    if not named:
        findings.append(
            "mask and scan do not both name a frame of reference: judged by their place only, "
            "so look whether the mask follows the anatomy on all three planes"
        )
    to_scan = np.linalg.inv(volume.ijk_to_lps) @ stored.ijk_to_lps
    voxels, outside = _counted(stored.labels, to_scan, np.array(volume.voxels.shape[::-1]))
    if voxels - outside < (1 if named else LEAST_INSIDE * voxels):
        raise SegmentationError(
            f"a mask of {voxels} voxels, {outside / voxels:.0%} of them outside the scan",
            expected="a mask made on this scan",
            where="the mask's file",
            fix="take the mask of this scan, or import the scan that the mask was made on",
        )
    resampled = not _same_voxels(to_scan, stored.labels.shape)
    labels = _on_the_grid(stored, volume)
    if outside:
        findings.append(f"{outside} of {voxels} voxels of the mask lie outside the scan: cut off")
    if resampled:
        findings.append("the mask has other voxels than the scan: nearest neighbours were taken")
    left = {value for plane in labels for value in np.unique(plane).tolist()}
    if gone := [segment.name for value, segment in stored.segments.items() if value not in left]:
        findings.append("without a voxel in the scan: " + ", ".join(gone))
    return ImportedMask(
        LabelMap.on(volume, labels, stored.segments), resampled, voxels, outside, tuple(findings)
    )


def _stored(path: Path, names: tuple[str, ...]) -> StoredLabels:
    try:
        with path.open("rb") as stream:
            start = stream.read(132)
    except OSError as error:
        raise unreadable("file", error.strerror or "it cannot be opened") from error
    if start[128:] == b"DICM":
        return stored_seg(path, names)
    if start.startswith(b"NRRD"):
        return stored_nrrd(path, names)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return stored_nifti(path, names)
    raise unreadable("file", "of an unknown format")


def _check_place(stored: StoredLabels) -> None:
    if not np.isfinite(stored.ijk_to_lps).all() or np.abs(stored.ijk_to_lps).max() > FARTHEST_MM:
        raise cannot_be_placed("numbers that are no place")
    spacing = spacing_of(stored.ijk_to_lps)
    if spacing.min() < VOXEL_MM[0] or spacing.max() > VOXEL_MM[1]:
        raise cannot_be_placed(f"voxels of {' × '.join(f'{size:.3g}' for size in spacing)} mm")
    axes = stored.ijk_to_lps[:3, :3] / spacing
    if np.abs(axes.T @ axes - np.eye(3)).max() > RIGHT_ANGLES:
        raise cannot_be_placed("axes that are not at right angles")


def _same_frame(stored: StoredLabels, volume: Volume) -> bool:
    """Whether mask and scan are known to share a frame of reference; they may not differ."""
    uid, scan = stored.frame_of_reference_uid, volume.frame_of_reference_uid
    if not uid or not scan:
        return False
    if uid != scan and pseudonym_uid(uid) != scan:
        raise SegmentationError(
            "a mask of another frame of reference than the scan's",
            expected="a mask made on this scan, or on one of the same examination",
            where="Frame of Reference UID of the mask",
            fix="take the mask of this scan, or import the scan that the mask was made on",
        )
    return True


def _counted(labels: Labels, to_scan: Array, size: Array) -> tuple[int, int]:
    """How many voxels the mask has, and how many of them have no voxel in the scan."""

    def lost(ijk: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        there = ijk @ to_scan[:3, :3].T + to_scan[:3, 3]
        return np.asarray(((there < -0.5) | (there >= size - 0.5)).any(axis=1))

    voxels = int(np.count_nonzero(labels))
    filled = [np.flatnonzero(labels.any(axis=tuple({0, 1, 2} - {axis}))) for axis in (2, 1, 0)]
    corners = np.array(list(itertools.product(*((hit[0], hit[-1]) for hit in filled))))
    if not lost(corners).any():
        return voxels, 0
    outside = 0
    for k in filled[2]:
        j, i = np.nonzero(labels[k])
        outside += int(lost(np.column_stack([i, j, np.full_like(i, k)])).sum())
    return voxels, outside


def _same_voxels(to_scan: Array, shape: tuple[int, ...]) -> bool:
    """Whether every voxel of one grid is a voxel of the other, in any order of the axes."""
    whole = np.rint(to_scan)
    if not (np.abs(whole[:3, :3]).sum(axis=0) == 1).all():
        return False
    corners = np.array(list(itertools.product(*((0, length - 1) for length in shape[::-1]), [1])))
    return bool(np.abs(corners @ (to_scan - whole).T).max() < SAME_VOXEL)


def _on_the_grid(stored: StoredLabels, volume: Volume) -> Labels:
    """(k, j, i) uint8: in each voxel of the scan the label at its centre."""
    if stored.labels.shape == volume.voxels.shape and np.allclose(
        stored.ijk_to_lps, volume.ijk_to_lps, rtol=0, atol=1e-6
    ):
        return stored.labels
    moving = sitk.GetImageFromArray(stored.labels)
    spacing = spacing_of(stored.ijk_to_lps)
    moving.SetSpacing(spacing.tolist())
    moving.SetOrigin(stored.ijk_to_lps[:3, 3].tolist())
    moving.SetDirection((stored.ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    fixed = image_of(volume)
    placed = sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return np.asarray(sitk.GetArrayFromImage(placed))
