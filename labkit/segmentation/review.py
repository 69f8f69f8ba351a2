"""A person's review of a mask: what was drawn so far, how long it took, what was accepted."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from labkit.case import Verdict
from labkit.parameters import Segmentation, places
from labkit.segmentation.extraction import extract_surface
from labkit.segmentation.labels.label_map import LabelMap
from labkit.segmentation.masks import choose_threshold
from labkit.segmentation.pieces import Box, Mask
from labkit.segmentation.strokes import (
    Corrections,
    Stroke,
    apply_strokes,
    draw,
    mask_sha256,
    read_corrections,
    write_corrections,
)
from labkit.segmentation.structures import Structures, structures_of
from labkit.segmentation.thresholds import Threshold
from labkit.volume import Volume


class Review:
    """The mask of a scan while a person corrects it.

    What was accepted before, here or in an earlier revision, is where the person goes on.
    What is drawn counts once it is accepted.

    Parameters
    ----------
    volume : the scan.
    parameters : by which the mask is made.
    kept : the ``strokes.json`` to replay; None for none.
    given : a mask in the scan's voxels in place of the threshold's; None for none.
    clock_s : counts seconds.

    Raises
    ------
    SegmentationError
        ``kept`` is no such file.
    """

    def __init__(
        self,
        volume: Volume,
        parameters: Segmentation,
        kept: Path | None = None,
        given: LabelMap | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.volume = volume
        self.corrections = Corrections() if kept is None else read_corrections(kept)
        self._given = given
        self._measured: dict[str, Threshold] = {}
        self._considered: dict[str, Any] = {}
        self._parameters = self.decided(parameters)
        self._strokes = list(self.corrections.strokes)
        self._base: Structures | None = None
        self._draft: Mask | None = None
        self._clock_s = clock_s
        self._began_s: float | None = None

    @property
    def draft(self) -> Mask:
        """(k, j, i) uint8: the mask with all that was drawn so far."""
        if self._draft is None:
            self._draft = apply_strokes(self._made().mask, self.volume, self._strokes)
        return self._draft

    @property
    def said(self) -> str:
        """How far the person is, in words."""
        words = f"{len(self._strokes)} strokes"
        if self._began_s is None:
            return f"{words}, {self.corrections.review_minutes:.1f} minutes in all."
        return f"{words}, {self._minutes():.1f} minutes. Not used yet."

    @property
    def is_open(self) -> bool:
        """Whether something was drawn and not accepted."""
        return tuple(self._strokes) != self.corrections.strokes

    def start(self) -> None:
        """The person begins; the minutes count from here."""
        if self._began_s is None:
            self._began_s = self._clock_s()

    def draw(self, **stroke: Any) -> Box:
        """Draw a stroke; the part of the draft that may have changed.

        Raises
        ------
        ValueError
            Not the fields of a `Stroke`.
        """
        drawn = Stroke.model_validate(_rounded(stroke))
        self.start()
        box = draw(self.draft, self.volume, drawn)
        self._strokes.append(drawn)
        return box

    def undo(self) -> Box:
        """Take the last stroke back; the part of the draft that may have changed."""
        self.start()
        if not self._strokes:
            return (slice(0, 0), slice(0, 0), slice(0, 0))
        box = draw(self.draft, self.volume, self._strokes.pop())
        self._draft = None
        return box

    def threshold(self, parameters: Segmentation) -> Threshold:
        """The threshold that these parameters set, or have measured in the scan."""
        asked = parameters.model_dump_json()
        if asked not in self._measured:
            given = None if self._given is None else self._given.mask()
            self._measured[asked] = choose_threshold(
                self.volume, parameters, parameters.threshold_from, given
            )
        return self._measured[asked]

    def decided(self, parameters: Segmentation) -> Segmentation:
        """The parameters with the threshold and the number of pieces that they come to."""
        found: dict[str, object] = {}
        if parameters.threshold_from != "set":
            found = {"threshold_hu": self.threshold(parameters).hu, "threshold_from": "set"}
        if seeds := places(parameters.seeds_lps_mm):
            found["components"] = len(seeds)
        return parameters.model_copy(update=found)

    def consider(self, values: Mapping[str, Any]) -> None:
        """The parameters that a person has set and not accepted, where they are others."""
        self._considered = dict(values)

    def make(self, parameters: Segmentation) -> None:
        """Make the mask anew by other parameters, with the strokes drawn into it."""
        decided = self.decided(parameters)
        if decided != self._parameters:
            self._parameters = decided
            self._base = self._draft = None

    def preview(self) -> trimesh.Trimesh:
        """The surface of the draft, LPS mm, not made lighter."""
        quick = self._parameters.model_copy(
            update={"smoothing_bound_mm": 0.0, "decimation_bound_mm": 0.0}
        )
        if self._given is not None or quick.structures:
            quick = quick.model_copy(update={"components": self.draft.size})
        return extract_surface(self.volume, self.draft, quick).mesh

    def accept(self) -> None:
        """The person is content with the draft: it counts, with the minutes it took."""
        self.corrections = Corrections(
            review_minutes=round(self._minutes(), 2),
            mask_sha256=mask_sha256(self.draft),
            strokes=tuple(self._strokes),
        )
        self._began_s = None
        self._considered = {}

    def structures(self, parameters: Segmentation) -> Structures:
        """The structures by these parameters, with the accepted strokes.

        Raises
        ------
        SegmentationError
            As `structures_of`; or nothing is left of a structure.
        """
        self.make(parameters)
        mask = apply_strokes(self._made().mask, self.volume, self.corrections.strokes)
        return self._made().corrected(mask)

    def mask(self, parameters: Segmentation) -> Mask:
        """(k, j, i) uint8: the mask by these parameters, with the accepted strokes."""
        return self.structures(parameters).mask

    def finding(self, mask: Mask) -> tuple[str, Verdict]:
        """How a corrected mask was come by, in words, and whether that is worth a look."""
        corrections = self.corrections
        words = f"{len(corrections.strokes)} strokes"
        now = self._parameters
        if other := {n: v for n, v in self._considered.items() if getattr(now, n) != v}:
            listed = ", ".join(f"{name} = {value}" for name, value in other.items())
            return f"{words}; set but not used: {listed}", "action"
        if self.is_open:
            return f"{words}; drawn but not used: {len(self._strokes)}", "action"
        if corrections.mask_sha256 not in ("", mask_sha256(mask)):
            return f"{words}, on another mask than the one that was accepted", "action"
        if corrections.strokes:
            voxels = np.count_nonzero(mask != self._made().mask)
            return f"{words}, {voxels} voxels changed", "pass"
        return "none", "pass"

    def write(self, path: Path) -> None:
        """Write what was accepted, if anything was."""
        if self.corrections != Corrections():
            write_corrections(self.corrections, path)

    def _made(self) -> Structures:
        if self._base is None:
            self._base = structures_of(self.volume, self._parameters, self._given)
        return self._base

    def _minutes(self) -> float:
        began_s = self._began_s
        now = 0.0 if began_s is None else (self._clock_s() - began_s) / 60
        return self.corrections.review_minutes + now


def _rounded(stroke: dict[str, Any]) -> dict[str, Any]:
    """Micrometres are enough, and easier to read."""
    points = [[round(float(n), 3) for n in point] for point in stroke.get("points_lps_mm", [])]
    normal = [round(float(n), 6) for n in stroke.get("normal_lps", [])]
    return {**stroke, "points_lps_mm": points, "normal_lps": normal}
