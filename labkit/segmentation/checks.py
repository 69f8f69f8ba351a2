"""What the acceptance of a segmentation looks at, each value with its limit."""

from typing import Any, Protocol

from labkit.case import Verdict
from labkit.segmentation.masks import edges_touched
from labkit.segmentation.review import Review
from labkit.segmentation.structure_surfaces import StructureSurfaces
from labkit.segmentation.structures import Structures
from labkit.segmentation.thresholds import Threshold

SPREAD = 0.10
"""Of the edge's height.  Over an edge with a Gaussian blur of standard deviation s a threshold
that is off by so much moves the surface by 0.25 s (the inverse of the normal distribution at
0.60).  The project's own; the sample forearm has 0.01, a real thigh 0.03."""

THIN_SHARE = 0.5
"""Where most of the edge is thinner than the blur, the threshold was measured on the lesser
part of the structure (the effect: Treece 2010, doi 10.1016/j.media.2010.01.003; the limit is
the project's own)."""


class Stage(Protocol):
    """What is needed of a stage."""

    parameters: Any
    metrics: dict[str, float]
    details: dict[str, Any]

    def check(
        self,
        name: str,
        value: bool | float | str | None,
        verdict: Verdict,
        /,
        *,
        unit: str = "",
        limit: str = "",
    ) -> None:
        """Add a value with its limit and verdict."""

    def check_at_most(
        self,
        name: str,
        value: float,
        /,
        *,
        unit: str,
        tolerance: float,
        action: float | None = None,
    ) -> None:
        """Add a value that must not exceed its tolerance."""


def check_mask(stage: Stage, review: Review, structures: Structures) -> None:
    """Check how the mask came about: thresholds, corrections by hand, the field of view."""
    threshold = review.threshold(stage.parameters)
    stage.details["threshold"] = vars(threshold)
    names = structures.names
    stage.details["structures"] = [
        {"name": names[n], "value": n, "kind": own.structure, "threshold_hu": own.threshold_hu}
        for n, own in structures.decided.items()
    ]
    if threshold.method == "half height":
        _check_measured(stage, threshold)
    words, level = review.finding(structures.mask)
    if stage.parameters.mask_from == "model" and not review.corrections.mask_sha256:
        words, level = f"{words}; a learned mask that nobody accepted", "action"
    stage.check("corrections by hand", words, level, limit="accepted on this mask")
    touched = edges_touched(structures.mask)
    level = "action" if touched else "pass"
    stage.check("cut off by the field of view", ", ".join(touched) or "no", level, limit="no")


def _check_measured(stage: Stage, threshold: Threshold) -> None:
    most_hu = SPREAD * (threshold.inside_hu - threshold.outside_hu)
    stage.check(
        "threshold, scatter over the edge",
        round(threshold.spread_hu, 1),
        "pass" if threshold.spread_hu <= most_hu else "action",
        unit="HU",
        limit=f"≤ {most_hu:.0f}, {SPREAD:.0%} of the edge's height (own limit)",
    )
    stage.check(
        "threshold, share of the edge that is too thin",
        round(threshold.thin_share, 3),
        "pass" if threshold.thin_share <= THIN_SHARE else "action",
        limit=f"≤ {THIN_SHARE:g} (own limit)",
    )


def check_surface(stage: Stage, review: Review, surfaces: StructureSurfaces) -> None:
    """Check the surface, and put its numbers and those of each step among the metrics."""
    whole = surfaces.whole
    stage.metrics = {"decimation_max_mm": surfaces.decimation_mm}
    for step in whole.steps:
        stage.metrics |= step.metrics()
    stage.metrics |= {
        "volume_mm3": whole.mesh.volume,
        "area_mm2": whole.mesh.area,
        "triangles": len(whole.mesh.faces),
        "full_triangles": whole.full_triangles,
        "handles": whole.handles,
        "dropped_pieces": whole.dropped_pieces,
        "gated_share": whole.gated_share,
        "review_minutes": review.corrections.review_minutes,
        "threshold_hu": review.decided(stage.parameters).threshold_hu,
    }
    for told in stage.details["structures"]:
        mesh = surfaces.meshes[told["name"]]
        told |= {"file": surfaces.file_of(told["name"]), "volume_mm3": round(float(mesh.volume), 3)}
    closed = all(mesh.is_watertight for mesh in surfaces.files.values())
    verdict: Verdict = "pass" if closed else "fail"
    stage.check("closed surface", closed, verdict, limit="watertight, manifold")
    bound_mm = stage.parameters.decimation_bound_mm
    stage.check_at_most(
        "editing error, maximum", surfaces.decimation_mm, unit="mm", tolerance=bound_mm
    )
