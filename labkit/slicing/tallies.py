"""What all moves together come to, in machine code: one pass each, and no copies."""

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@compiled
def distances(start: Floats, end: Floats) -> Floats:
    """(n,) from each row of ``start`` to the same of ``end``, both (n, 3)."""
    found = np.empty(len(start))
    for number in range(len(start)):
        x, y, z = (
            end[number, 0] - start[number, 0],
            end[number, 1] - start[number, 1],
            end[number, 2] - start[number, 2],
        )
        found[number] = np.sqrt(x * x + y * y + z * z)
    return found


@compiled
def commanded(
    start: Floats, end: Floats, extruded: Floats, feeds: Floats, longer_than_mm: float
) -> tuple[float, float]:
    """Minutes of all moves at the speed commanded, and the most filament pushed, mm/min.

    The latter only on moves that are longer, in a straight line; a move of filament alone is as
    long as the filament.
    """
    minutes = most = 0.0
    for number in range(len(feeds)):
        square = 0.0
        for axis in range(3):
            square += (end[number, axis] - start[number, axis]) ** 2
        pushed, feed = extruded[number], feeds[number]
        distance = np.sqrt(square)
        if feed > 0:
            minutes += (distance if distance > 0 else abs(pushed)) / feed
        if distance > longer_than_mm and pushed > 0:
            most = max(most, pushed / distance * feed)
    return minutes, most


@compiled
def pushed(extruded: Floats) -> tuple[float, int, float]:
    """The most filament that was ever pushed, how often it was pulled back, and the longest pull.

    Pulls that nothing is pushed between are one, as when the nozzle wipes while it pulls.
    """
    filament = most = pull = longest = 0.0
    pulls = 0
    for number in range(len(extruded)):
        change = extruded[number]
        filament += change
        most = max(most, filament)
        if change < 0:
            pulls += pull == 0
            pull -= change
            longest = max(longest, pull)
        elif change > 0:
            pull = 0.0
    return most, pulls, longest


@compiled
def sums(
    groups: npt.NDArray[np.signedinteger], values: npt.NDArray[np.generic], count: int
) -> Floats:
    """(count,) the sums of (n,) values by their group; those of group −1 are left out."""
    found = np.zeros(count)
    for number in range(len(groups)):
        if groups[number] >= 0:
            found[groups[number]] += values[number]
    return found


@compiled
def _extremes(points: Floats, chosen: Mask) -> tuple[Floats, int]:
    found, count = np.empty((2, 3)), 0
    found[0], found[1] = np.inf, -np.inf
    for number in range(len(points)):
        if chosen[number]:
            count += 1
            for axis in range(3):
                found[0, axis] = min(found[0, axis], points[number, axis])
                found[1, axis] = max(found[1, axis], points[number, axis])
    return found, count


def box(points: Floats, chosen: Mask) -> Floats | None:
    """(2, 3) the lowest and highest coordinates of the chosen of (n, 3) points, None of none."""
    found, count = _extremes(points, chosen)
    return found if count else None
