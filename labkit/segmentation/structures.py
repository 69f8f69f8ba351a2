"""The structures of a scan: one or several, by threshold or from a mask that was given."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from labkit.errors import SegmentationError
from labkit.parameters import NamedStructure, Segmentation, named_structures, places
from labkit.segmentation.labels.label_map import LabelMap, Labels, revalued, structures_labelled
from labkit.segmentation.masks import check_unit, labels_of, segment
from labkit.segmentation.presets import PRESETS, check_threshold
from labkit.volume import Volume


@dataclass(frozen=True)
class Structures:
    """Structures in a scan, no voxel in two of them, and how each is told apart.

    Parameters
    ----------
    label_map : which voxel is whose.
    decided : by value, the parameters of each structure alone.
    masks : by value, (k, j, i) uint8: each structure as if it were alone, where thresholds
        made them.  Of a voxel in two masks the label is that of the higher threshold.
    """

    label_map: LabelMap
    decided: Mapping[int, Segmentation]
    masks: Mapping[int, Labels]

    @property
    def names(self) -> dict[int, str]:
        """The names by value; with the value where another tool gave two the same name."""
        names = {value: segment.name for value, segment in self.label_map.segments.items()}
        often = Counter(name.casefold() for name in names.values())
        while most := [name for name, times in often.items() if times > 1]:
            names = {
                n: f"{name} {n}" if name.casefold() in most else name for n, name in names.items()
            }
            often = Counter(name.casefold() for name in names.values())
        return names

    @property
    def mask(self) -> Labels:
        """(k, j, i) uint8: 1 in any of the structures."""
        if len(self.masks) == 1:
            return next(iter(self.masks.values()))
        return (self.label_map.labels > 0).view(np.uint8)

    def mask_of(self, value: int) -> Labels:
        """(k, j, i) uint8: 1 in one of the structures, as if it were alone."""
        if value in self.masks:
            return self.masks[value]
        return np.asarray(self.label_map.labels == value).view(np.uint8)

    def labels_among(self, values: Sequence[int]) -> Labels:
        """(k, j, i) uint8: the labels as if there were only these structures."""
        if not self.masks:
            return revalued(self.label_map.labels, {value: value for value in values})
        labels = labels_of([self.masks[value] for value in values])
        return revalued(labels, dict(enumerate(values, 1)))

    def corrected(self, mask: Labels) -> "Structures":
        """The structures within a mask (k, j, i) uint8 that was corrected by hand.

        A voxel that was added belongs to the structure of the nearest labelled voxel.

        Raises
        ------
        SegmentationError
            Nothing is left of a structure.
        """
        if np.array_equal(mask, self.mask):
            return self
        labels = self.label_map.labels * (mask > 0)
        added = (mask > 0) & (labels == 0)
        if added.any():
            several = len(self.names) > 1
            labels[added] = _nearest(self.label_map, added) if several else next(iter(self.names))
        masks = {
            value: ((own > 0) & (mask > 0) | (labels == value)).view(np.uint8)
            for value, own in self.masks.items()
        }
        return _checked(
            replace(self, label_map=replace(self.label_map, labels=labels), masks=masks)
        )


def structures_of(
    volume: Volume, parameters: Segmentation, given: LabelMap | None = None
) -> Structures:
    """The structures that the parameters name, before any correction by hand.

    Parameters
    ----------
    given : a mask in the voxels of the scan, taken as it is in place of thresholds.  Each of
        its segments still has a threshold, at which its surface lies.

    Raises
    ------
    SegmentationError
        A structure without a voxel of its own, a threshold outside its window, seeds for a
        mask that was given; or as `segment`.
    """
    asked = named_structures(parameters.structures)
    if given is not None:
        return _as_given(volume, parameters, given, asked)
    listed = asked or (NamedStructure(parameters.structure, parameters.structure),)
    decided = {value: _alone(parameters, one) for value, one in enumerate(listed, 1)}
    masks = {}
    for one, (value, own) in zip(listed, decided.items(), strict=True):
        with named_in_errors(one.name if asked else ""):
            masks[value] = segment(volume, own)
    labels = masks[1]
    if len(masks) > 1:
        brightest_first = sorted(decided, key=lambda value: -decided[value].threshold_hu)
        found = labels_of([masks[value] for value in brightest_first])
        labels = revalued(found, dict(enumerate(brightest_first, 1)))
    kinds = [own.structure for own in decided.values()]
    label_map = structures_labelled(labels, volume, kinds, [one.name for one in listed])
    return _checked(Structures(label_map, decided, masks))


@contextmanager
def named_in_errors(name: str) -> Iterator[None]:
    """Say of which structure an error is; nothing where there is only one."""
    try:
        yield
    except SegmentationError as error:
        if not name or type(error) is not SegmentationError:  # others carry places with them
            raise
        raise SegmentationError(
            f"{name}: {error.found}", expected=error.expected, where=error.where, fix=error.fix
        ) from error


def _alone(parameters: Segmentation, one: NamedStructure) -> Segmentation:
    """The parameters of one of several structures."""
    kind = one.kind or parameters.structure
    usual_hu = PRESETS[kind].threshold_hu
    own_hu = parameters.threshold_hu if kind == parameters.structure else usual_hu
    seeds = one.seeds_lps_mm or parameters.seeds_lps_mm
    return parameters.model_copy(
        update={
            "structure": kind,
            "threshold_hu": own_hu if one.threshold_hu is None else one.threshold_hu,
            "threshold_from": "set",
            "structures": "",
            "seeds_lps_mm": seeds,
            "components": len(places(seeds)) or parameters.components,
        }
    )


def _as_given(
    volume: Volume, parameters: Segmentation, given: LabelMap, asked: tuple[NamedStructure, ...]
) -> Structures:
    check_unit(volume)
    by_name = {one.name.casefold(): one for one in asked}
    if seeded := [one.name for one in asked if one.seeds_lps_mm]:
        raise SegmentationError(
            f"seeds for {', '.join(seeded)}, which a mask gives",
            expected="seeds with mask_from = threshold only",
            where="02_segmentation, parameter structures",
            fix="leave the seeds out; what is too much in the mask is erased in the review",
        )
    there = set(np.unique(given.labels).tolist())
    segments = {value: found for value, found in given.segments.items() if value in there}
    decided = {}
    for value, found in segments.items():
        one = by_name.get(found.name.strip().casefold(), NamedStructure(found.name))
        own = _alone(parameters, one)
        check_threshold(own)
        # a mask that was given is taken whole
        decided[value] = own.model_copy(update={"components": given.labels.size})
    return Structures(replace(given, segments=segments), decided, {})


def _nearest(label_map: LabelMap, places_kji: npt.NDArray[np.bool_]) -> Labels:
    """(n,) uint8: the label nearest to each of the places (k, j, i) bool, in mm."""
    spacing_kji = label_map.spacing_mm[::-1]
    rim = (label_map.labels > 0) & ~ndimage.binary_erosion(label_map.labels > 0)
    at = np.argwhere(rim)
    _, nearest = cKDTree(at * spacing_kji).query(np.argwhere(places_kji) * spacing_kji)
    found: Labels = label_map.labels[tuple(at[nearest].T)]
    return found


def _checked(structures: Structures) -> Structures:
    there = set(np.unique(structures.label_map.labels).tolist())
    for value, name in structures.names.items():
        if value not in there:
            raise SegmentationError(
                f"no voxel of {name} that is not another structure's, or was erased",
                expected="places that belong to each structure alone",
                where="02_segmentation, parameter structures",
                fix=f"give {name} seeds of its own (@ x, y, z), or another threshold",
            )
    return structures
