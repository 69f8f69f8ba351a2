"""Whether a scan is fit for the procedure: each value against the protocol's limit.

From the header alone before anything is read, and from the grey values afterwards.
"""

from dataclasses import dataclass

from labkit.case import Check, Verdict, worst
from labkit.protocols import AtLeast, AtMost, Between, OneOf, Protocol
from labkit.scan import measures
from labkit.scan.kernels import sharpness_of
from labkit.scan.series import Series
from labkit.volume import Volume

_EMPTY = (
    f"nothing in the scan is denser than {measures.BODY_HU} HU: it shows air only, or its grey "
    "values are wrong"
)


@dataclass(frozen=True)
class Fitness:
    """How a scan stands to a protocol.

    Parameters
    ----------
    checks : a value with its limit and verdict each.
    warnings : where it is, for what has a place in the scan; a sentence each.
    caveats : what everyone who builds on the scan must know, a sentence each.
    """

    checks: tuple[Check, ...]
    warnings: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks; *pass* where the protocol asks nothing."""
        return worst(self.checks, "pass")


def fitness_by_header(series: Series, protocol: Protocol) -> Fitness:
    """What header and geometry tell; no grey value is read for it.

    What the header does not tell is an *action*: somebody has to look.
    """
    facts, geometry = series.facts, series.geometry
    across, down, step = geometry.spacing_mm or (None, None, None)
    pixel = max(across, down) if across and down else None
    side = min(series.images[0].shape) if series.images else None
    thick = [
        *_number("slice spacing", step, protocol.slice_spacing_mm, "mm"),
        *_number("slice thickness", facts.slice_thickness_mm, protocol.slice_thickness_mm, "mm"),
    ]
    checks = [
        *_word("modality", facts.modality, protocol.modality),
        *thick,
        *_number("pixel spacing", pixel, protocol.pixel_spacing_mm, "mm"),
        *_number("matrix, shorter side", side, protocol.matrix, "pixels"),
    ]
    if facts.modality == "CT":
        sharpness = sharpness_of(facts.kernel, facts.manufacturer)
        checks += [
            *_word("kernel", sharpness, protocol.kernel, said=facts.kernel),
            *_word("contrast agent", "yes" if facts.contrast else "no", protocol.contrast_agent),
            *_number("tube voltage", facts.kvp, protocol.tube_voltage_kv, "kV"),
        ]
    if geometry.shape is not None:
        share = len(geometry.interpolated) / geometry.shape[0]
        checks += [
            *_number("gantry tilt straightened", geometry.tilt_deg, protocol.tilt_deg, "°"),
            *_number("share of interpolated slices", share, protocol.interpolated_share),
        ]
    tolerated = [
        f"thick slices were accepted: {check.name} {check.value:g} mm (limit {check.limit})"
        for check in thick
        if check.verdict != "pass" and isinstance(check.value, float)
    ]
    caveats = (*geometry.corrections, *series.findings, *tolerated)
    return Fitness(tuple(checks), caveats=caveats)


def row_of(series: Series, protocol: Protocol) -> dict[str, object]:
    """The series as a row of the table, with its verdict by the protocol and why."""
    row = series.row()
    why = str(row.pop("reason"))
    del row["usable"]
    if series.refusal:
        return row | {"verdict": "refused", "why": why}
    judged = fitness_by_header(series, protocol)
    look = [f"{c.name} {c.value} {c.unit}".rstrip() for c in judged.checks if c.verdict != "pass"]
    return row | {"verdict": judged.verdict, "why": "; ".join([why, *look])}


def fitness_of(series: Series, volume: Volume, protocol: Protocol) -> Fitness:
    """What header, geometry and grey values tell.

    Of grey values without a unit only the outline is judged.
    """
    header = fitness_by_header(series, protocol)
    parts = [_outline(volume, protocol)]
    if volume.unit == "HU":
        parts += _tissue(volume, protocol)
    return Fitness(
        header.checks + tuple(check for part in parts for check in part.checks),
        tuple(text for part in parts for text in part.warnings),
        header.caveats,
    )


def _outline(volume: Volume, protocol: Protocol) -> Fitness:
    cut = _number(
        "body cut by the border", measures.body_cut_mm(volume), protocol.body_cut_mm, "mm"
    )
    jump = measures.motion_of(volume)
    if jump is None:
        return Fitness(tuple(cut))
    moved = _number("jump of the outline", jump.size_mm, protocol.motion_mm, "mm")
    says = (
        f"the outline jumps by {jump.size_mm:.1f} mm after slice {jump.after + 1} of the volume: "
        "the patient may have moved"
    )
    return Fitness((*cut, *moved), _where(moved, says))


def _tissue(volume: Volume, protocol: Protocol) -> list[Fitness]:
    empty = () if (volume.voxels > measures.BODY_HU).any() else (_EMPTY,)
    cut = measures.bone_cut_mm2(volume)
    ends = _number("bone cut off", sum(cut.values()), protocol.bone_cut_mm2, "mm²")
    where = ", ".join(f"{name} {area:.0f} mm²" for name, area in cut.items() if area)
    cut_says = f"bone runs out of the scan ({where}): is all that was ordered in it?"

    noise = measures.noise_hu(volume)
    contrast = None if noise is None else measures.contrast_to_noise(volume, noise)
    quality = [
        *_number("noise in soft tissue", noise, protocol.noise_hu, "HU"),
        *_number("contrast of bone to noise", contrast, protocol.contrast_to_noise),
    ]

    metal = measures.metal_of(volume)
    dense = _number("denser than tissue", metal.volume_mm3, protocol.metal_mm3, "mm³")
    metal_says = (
        f"{metal.volume_mm3:.0f} mm³ above {measures.METAL_HU} HU in slices {metal.first + 1} to "
        f"{metal.last + 1} of the volume: look for metal and its streaks"
        + ("; the values are saturated" if metal.saturated else "")
    )
    return [
        Fitness((), empty),
        Fitness(tuple(ends), _where(ends, cut_says)),
        Fitness(tuple(quality)),
        Fitness(tuple(dense), _where(dense, metal_says)),
    ]


def _where(checks: list[Check], says: str) -> tuple[str, ...]:
    return (says,) if any(check.verdict != "pass" for check in checks) else ()


def _number(
    name: str, value: float | None, rule: AtMost | AtLeast | Between | None, unit: str = ""
) -> list[Check]:
    """The check of a number; none where the protocol has no rule for it."""
    if rule is None:
        return []
    if value is None:
        return [Check(name=name, value="unknown", limit=str(rule), verdict="action")]
    shown = round(float(value), 3)
    return [Check(name=name, value=shown, unit=unit, limit=str(rule), verdict=rule.verdict(value))]


def _word(name: str, value: str, rule: OneOf | None, said: str = "") -> list[Check]:
    """The check of a word; ``said`` is what the header calls it."""
    if rule is None:
        return []
    known = value and not value.startswith("unknown")
    shown = (value or "unknown") + (f" ({said})" if said else "")
    verdict = rule.verdict(value) if known else "action"
    return [Check(name=name, value=shown, limit=str(rule), verdict=verdict)]
