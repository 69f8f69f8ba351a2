"""The phantom of the sample scan: a right distal forearm whose true shape is a formula.

Whole micrometres and Hounsfield units only, so that every machine finds the same.

Frames: LPS in mm outside; inside, the phantom's own axes in whole µm, parallel to LPS,
with `ORIGIN_LPS_UM` at the middle of the field in x and y and its lowest edge in z.
The arm is raised above the head: z runs from the shafts to the wrist, the thumb's side is
the patient's right (−x), the palm lies towards the table (+y).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

COLUMNS, ROWS, SLICES = 256, 200, 104
PIXEL_UM, SLICE_UM = 500, 800
FIELD_UM = (COLUMNS * PIXEL_UM, ROWS * PIXEL_UM, SLICES * SLICE_UM)
ORIGIN_LPS_UM = (-151_438, -23_867, 1_284_613)

AIR_HU, CORTICAL_HU, MARROW_HU, TRABECULAR_HU = -1000, 1200, -80, 350
MUSCLE_HU, BALL_HU, BAR_HU, BLOCK_HU, MARK_HU = 50, 1200, 1200, 120, 1500

BALL_DIAMETER_UM = 10_000
BALLS_UM = ((-49_130, -27_410, 52_370), (49_270, 3_620, 31_930))
BAR_WIDTHS_UM = (2000, 1500, 1000, 750)  # three bars of each, their gaps as wide as they are
BARS_FROM_UM = (-17_630, -44_500, 38_000)
BARS_SIZE_UM = (8000, 8000)  # along y and z
MARK_UM = (-59_000, -6_000, 10_000)  # lowest corner of the letter R, 10.5 × 16 mm
MARK_STEM_UM, MARK_REST_UM = 16_000, 10_000  # along z: the stem is longer, so no mirror fits

ONE = 10**12  # a point is inside a shape where the shape's level is below this


def ramp(z: Ints, start: int, end: int, first: int, last: int) -> Ints:
    """A whole number that passes smoothly (3t² − 2t³) from ``first`` to ``last``."""
    span = end - start
    t = np.clip(z - start, 0, span)
    return first + (last - first) * (t * t * (3 * span - 2 * t) // (span * span)) // span


def bow(z: Ints, start: int, end: int, height: int) -> Ints:
    """A parabola that is 0 at ``start`` and ``end``, and ``height`` half-way."""
    span = end - start
    t = np.clip(z - start, 0, span)
    return 4 * height * (t * (span - t) // span) // span


def ellipsoid(*offsets_and_axes: tuple[Ints, Ints | int]) -> Ints:
    """Level of an ellipsoid (or elliptic tube): the sum of (offset / semi-axis)², times 10¹²."""
    level = sum((offset * 10**6 // axis) ** 2 for offset, axis in offsets_and_axes)
    return np.asarray(level, np.int64)


def cortex_um(z: Ints) -> Ints:
    """By how much the semi-axes of the marrow space are shorter than those of the bone."""
    return ramp(z, 35_000, 66_000, 2400, 900)


def radius_level(x: Ints, y: Ints, z: Ints, depth: Ints | int = 0) -> Ints:
    """Level of the radius: an egg-shaped tube that flares to the wrist, with its tubercle.

    Its end is a bullet less the ball of the carpus, which leaves the hollow joint face
    and the styloid on the thumb's side.  ``depth`` shortens every semi-axis.
    """
    u = x - ramp(z, 25_000, 68_000, -9500, -8500) - bow(z, 0, 62_000, -1800)
    v = y - ramp(z, 20_000, 70_000, -1200, 1400) + ramp(z, 28_000, 64_000, 180, -90) * u // 1000
    a = ramp(z, 36_000, 69_000, 6600, 12_300) - depth
    b = ramp(z, 36_000, 66_000, 5800, 8600) - depth
    egg = ramp(z, 30_000, 62_000, -220, 160)
    tube = ellipsoid((u, a), (v, np.maximum(b + egg * np.clip(u, -15_000, 15_000) // 1000, 1000)))
    end = ellipsoid(
        (x + 13_000, 19_000 - depth),
        (y - 1000, 13_500 - depth),
        (np.maximum(z - 58_000, 0), 20_000 - depth),
    )
    carpus = 19_000 + depth
    joint = 2 * ONE - ellipsoid((x + 4000, carpus), (y - 2200, carpus), (z - 90_000, carpus))
    tubercle = ellipsoid(
        (x + 7600, 4300 - depth), (y + 5700, 4000 - depth), (z - 63_500, 9000 - depth)
    )
    return np.minimum(np.maximum(np.maximum(tube, end), joint), tubercle)


def ulna_level(x: Ints, y: Ints, z: Ints, depth: Ints | int = 0) -> Ints:
    """Level of the ulna: a tube with a neck and a round head, and its styloid on the back."""
    u = x - ramp(z, 22_000, 66_000, 10_500, 14_800) - bow(z, 0, 70_000, 900)
    v = y - ramp(z, 8000, 70_000, 2600, -1500) - 140 * u // 1000
    a = ramp(z, 2000, 44_000, 6500, 5600) + ramp(z, 46_000, 64_000, 0, 2600) - depth
    b = ramp(z, 2000, 44_000, 6100, 5200) + ramp(z, 46_000, 64_000, 0, 2200) - depth
    tube = ellipsoid((u, a), (v, b + 120 * np.clip(u, -15_000, 15_000) // 1000))
    head = ellipsoid(
        (x - 14_600, 9800 - depth),
        (y + 1300, 9200 - depth),
        (np.maximum(z - 59_500, 0), 9500 - depth),
    )
    styloid = ellipsoid(
        (x - 18_800, 3100 - depth), (y + 4200, 3000 - depth), (z - 65_500, 7500 - depth)
    )
    return np.minimum(np.maximum(tube, head), styloid)


BONES: dict[str, Callable[..., Ints]] = {"radius": radius_level, "ulna": ulna_level}


def arm_level(x: Ints, y: Ints, z: Ints, depth: int = 0) -> Ints:
    """Level of the skin's outline (``depth`` 0), or of a layer that deep below it."""
    u = x - ramp(z, 0, 83_200, 1800, 600)
    a = ramp(z, 0, 80_000, 37_000, 31_500) - depth
    b = ramp(z, 0, 80_000, 28_500, 21_500) - depth
    return ellipsoid((u, a), (y - 500 + 60 * u // 1000, b))


def in_ball(number: int, x: Ints, y: Ints, z: Ints) -> Bools:
    """Whether points lie in one of the two balls."""
    cx, cy, cz = BALLS_UM[number]
    r = BALL_DIAMETER_UM // 2
    return ellipsoid((x - cx, r), (y - cy, r), (z - cz, r)) < ONE


def bars_um() -> list[tuple[int, int]]:
    """Where each bar of the line-pair block begins in x, and how wide it is."""
    bars, at = [], BARS_FROM_UM[0]
    for width in BAR_WIDTHS_UM:
        bars += [(at + 2 * width * number, width) for number in range(3)]
        at += 5 * width + 3000
    return bars


def in_bars(x: Ints, y: Ints, z: Ints) -> Bools:
    """Whether points lie in a bar of the line-pair block."""
    _, y0, z0 = BARS_FROM_UM
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), bool)
    for start, width in bars_um():
        found |= (x >= start) & (x < start + width)
    return found & (y >= y0) & (y < y0 + BARS_SIZE_UM[0]) & (z >= z0) & (z < z0 + BARS_SIZE_UM[1])


def in_mark(x: Ints, y: Ints, z: Ints) -> Bools:
    """Whether points lie in the letter R, upright as an axial image is looked at."""
    x, y, z = x - MARK_UM[0], y - MARK_UM[1], z - MARK_UM[2]
    stem = (x >= 0) & (x < 2600) & (y >= 0) & (y < 16_000)
    ring = (x - 5000) ** 2 + (y - 4500) ** 2
    bowl = (x >= 5000) & (ring < 4500**2) & (ring >= 1900**2)
    tops = (x >= 0) & (x < 5000) & (((y >= 0) & (y < 2600)) | ((y >= 6400) & (y < 9000)))
    leg = (np.abs((y - 8000) * 4 - (x - 4200) * 7) < 10_000) & (y >= 8000) & (y < 16_000)
    flat = bowl | tops | leg
    solid: Bools = (z >= 0) & ((stem & (z < MARK_STEM_UM)) | (flat & (z < MARK_REST_UM)))
    return solid


def in_table(x: Ints, y: Ints, z: Ints, depth: int = 0) -> Bools:
    """Whether points lie in the table's shell, or ``depth`` below its surface."""
    top = 33_500 - x * x // 400_000 + 12 * x // 1000
    within: Bools = (y >= top + depth) & (y < top + 13_000 - depth)
    return within


def to_local_um(points_lps_mm: npt.ArrayLike) -> tuple[Ints, Ints, Ints]:
    """The x, y, z, whole µm in the phantom's axes, of points (n, 3) in mm, LPS."""
    um = np.rint(np.asarray(points_lps_mm, float) * 1000).astype(np.int64) - ORIGIN_LPS_UM
    return um[..., 0], um[..., 1], um[..., 2]


def to_lps_mm(local_um: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(n, 3) float64, mm, LPS: where points (n, 3) in µm of the phantom's axes lie."""
    lps: npt.NDArray[np.float64] = (np.asarray(local_um, float) + ORIGIN_LPS_UM) / 1000
    return lps


def inside(bone: str, points_lps_mm: npt.ArrayLike) -> Bools:
    """Whether points (n, 3), mm, LPS lie within the outer surface of ``radius`` or ``ulna``.

    The shafts run on below the field: the scan cuts them at its lowest edge.
    """
    return BONES[bone](*to_local_um(points_lps_mm)) < ONE


def distance_mm(bone: str, points_lps_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(n,) float64, mm: distance of points to a bone's true outer surface, negative inside.

    First order (level over its gradient): good to a few per cent within 1 mm of the
    surface, and too small beside an edge (the rim of the joint face, the roots of
    tubercle and styloid).
    """
    points = np.asarray(points_lps_mm, float)

    def height(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        level = BONES[bone](*to_local_um(at))
        return np.sqrt(np.maximum(level, 0) / ONE) - 1.0

    step = 0.1
    slopes = [
        (height(points + step * axis) - height(points - step * axis)) / (2 * step)
        for axis in np.eye(3)
    ]
    steepness: npt.NDArray[np.float64] = np.linalg.norm(slopes, axis=0)
    return height(points) / np.maximum(steepness, 1e-6)


@dataclass(frozen=True)
class Part:
    """Something in the scanner: where it may be (µm), where it is, and its grey value."""

    name: str
    box: Box
    inside: Callable[[Ints, Ints, Ints], Bools]
    hu: Callable[[Ints], Ints | int]


def parts() -> list[Part]:
    """Everything in the scanner; a later part replaces what lies under it."""
    everywhere = (-10_000, FIELD_UM[2] + 10_000)
    arm: Box = ((-42_000, 42_000), (-33_000, 33_000), everywhere)
    couch: Box = ((-64_000, 64_000), (20_000, 50_000), everywhere)
    bone_boxes: dict[str, Box] = {
        "radius": ((-25_000, 7000), (-14_000, 15_000), everywhere),
        "ulna": ((1000, 28_000), (-15_000, 13_000), everywhere),
    }
    scene = [
        Part("table shell", couch, in_table, lambda z: 100),
        Part("table foam", couch, lambda x, y, z: in_table(x, y, z, 1600), lambda z: -850),
        Part("skin", arm, lambda x, y, z: arm_level(x, y, z) < ONE, lambda z: 60),
        Part("fat", arm, lambda x, y, z: arm_level(x, y, z, 1300) < ONE, lambda z: -95),
        Part("muscle", arm, lambda x, y, z: arm_level(x, y, z, 3900) < ONE, lambda z: MUSCLE_HU),
    ]
    for name, level in BONES.items():
        scene += [
            Part(name, bone_boxes[name], _below(level, None), lambda z: CORTICAL_HU),
            Part(f"{name} marrow", bone_boxes[name], _below(level, cortex_um), marrow_hu),
        ]
    for number, centre in enumerate(BALLS_UM):
        scene.append(Part(f"ball {number + 1}", _around(centre), _ball(number), lambda z: BALL_HU))
    x0, y0, z0 = BARS_FROM_UM
    block: Box = ((x0 - 2000, 20_000), (y0 - 1500, y0 + 9500), (z0 - 2000, z0 + 10_000))
    mark: Box = tuple((low, low + 17_000) for low in MARK_UM)  # type: ignore[assignment]
    return [
        *scene,
        Part("block", block, lambda x, y, z: np.ones((y.size, x.size), bool), lambda z: BLOCK_HU),
        Part("bars", block, in_bars, lambda z: BAR_HU),
        Part("mark", mark, in_mark, lambda z: MARK_HU),
    ]


def marrow_hu(z: Ints) -> Ints:
    """Grey value inside a bone: fatty marrow in the shaft, trabecular bone at the wrist."""
    return MARROW_HU + (TRABECULAR_HU - MARROW_HU) * np.clip(z - 34_000, 0, 26_000) // 26_000


def _below(
    level: Callable[..., Ints], depth: Callable[[Ints], Ints] | None
) -> Callable[[Ints, Ints, Ints], Bools]:
    return lambda x, y, z: level(x, y, z, 0 if depth is None else depth(z)) < ONE


def _ball(number: int) -> Callable[[Ints, Ints, Ints], Bools]:
    return lambda x, y, z: in_ball(number, x, y, z)


def _around(centre: tuple[int, int, int]) -> Box:
    return tuple((c - 6000, c + 6000) for c in centre)  # type: ignore[return-value]
