"""What is wrong with each move of a tool path, as bits, in machine code."""

import math

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled
from labkit.slicing.kernel import ARC, HAS_X, HAS_Y, HAS_Z

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint16]

NOT_HOMED, IS_ARC, OUTSIDE, TOO_FAST, TOO_FAST_UP, NO_SPEED, PRIME, COLD = (
    1 << number for number in range(8)
)
FLOW, NO_FLOW, RETRACTION, BESIDE_PART, EXTRUDES = (1 << number for number in range(8, 13))

# columns of what is in force
HOMED, HOT, SPEED_FACTOR, FLOW_FACTOR = range(4)
COLUMNS = 4
# places of the limits
LOW, HIGH, FEED, FEED_Z, PRIME_MM, FLOW_MM_S, MOST_FLOW_MM_S, RETRACTION_MM, FLOW_ABOVE_MM = (
    *(0, 3, 6, 7, 8, 9, 10, 11, 12),
)

SLACK_MM_MIN = 0.5
_XYZ = HAS_X | HAS_Y | HAS_Z


@compiled
def judged(  # noqa: PLR0912  one branch per rule
    start: Floats,
    end: Floats,
    extruded: Floats,
    feeds: Floats,
    words: npt.NDArray[np.uint8],
    commands: npt.NDArray[np.int32],
    in_force: Floats,
    limits: Floats,
    bits: Bits,
    begin: int,
    stop: int,
) -> tuple[float, float]:
    """Millimetres: how far moves ``begin`` to ``stop`` go, how far they extrude.

    Parameters
    ----------
    start … words : as in a `Toolpath`; ``commands`` how many commands come before each.
    in_force : (commands + 1, 4) what they set, by the columns named above.
    limits : (13,) by the places named above.
    bits : (n,) takes what is wrong with each of them.
    """
    way = laid = 0.0
    pushed, first, along = 0.0, begin, False
    while first > 0 and not along:
        first -= 1
        along = start[first, 0] != end[first, 0] or start[first, 1] != end[first, 1]
    for number in range(first + along, begin):  # what was pushed on the spot where this begins
        pushed += extruded[number]
    for number in range(begin, stop):
        now = commands[number]
        feed, filament = feeds[number] * in_force[now, SPEED_FACTOR], extruded[number]
        found, square = 0, 0.0
        for axis in range(3):
            place = end[number, axis]
            square += (place - start[number, axis]) ** 2
            if not limits[LOW + axis] <= place <= limits[HIGH + axis]:
                found |= OUTSIDE
        distance = math.sqrt(square)
        sideways = start[number, 0] != end[number, 0] or start[number, 1] != end[number, 1]
        if words[number] & _XYZ and not in_force[now, HOMED]:
            found |= NOT_HOMED
        if words[number] & ARC:
            found |= IS_ARC
        if feed > limits[FEED] + SLACK_MM_MIN:
            found |= TOO_FAST
        up = start[number, 2] != end[number, 2]
        if up and not sideways and feed > limits[FEED_Z] + SLACK_MM_MIN:
            found |= TOO_FAST_UP
        if feed <= 0 and (up or sideways):
            found |= NO_SPEED
        pushed = 0.0 if sideways else pushed + filament
        if pushed > limits[PRIME_MM]:
            found |= PRIME
        if sideways:
            way += distance
        if filament > 0:
            if sideways:
                laid += distance
                found |= EXTRUDES
            if not in_force[now, HOT]:
                found |= COLD
            if distance > limits[FLOW_ABOVE_MM] and feed > 0:
                flow = filament * in_force[now, FLOW_FACTOR] / (distance / feed * 60)
                if flow > limits[MOST_FLOW_MM_S]:
                    found |= NO_FLOW
                elif flow > limits[FLOW_MM_S]:
                    found |= FLOW
        elif filament < -limits[RETRACTION_MM]:
            found |= RETRACTION
        bits[number] = found
    return way, laid
