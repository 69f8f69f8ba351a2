"""What all moves together come to, in machine code: few passes, and no copies."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labkit.compiled import compiled

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Groups = npt.NDArray[np.int32]
Features = npt.NDArray[np.int16]


@compiled
def sideways(start: Floats, end: Floats) -> Mask:
    """(n,) whether x or y differ, of the rows of two (n, 3)."""
    found = np.empty(len(start), np.bool_)
    for number in range(len(start)):
        found[number] = (start[number, 0] != end[number, 0]) | (start[number, 1] != end[number, 1])
    return found


@compiled
def distances(start: Floats, end: Floats) -> Floats:
    """(n,) from each row of ``start`` to the same of ``end``, both (n, 3)."""
    found = np.empty(len(start))
    for number in range(len(start)):
        square = 0.0
        for axis in range(3):
            square += (end[number, axis] - start[number, axis]) ** 2
        found[number] = np.sqrt(square)
    return found


@compiled
def by_height(start: Floats, end: Floats, extruded: Floats) -> tuple[Groups, int]:
    """(n,) a number from 0 for each new height at which lines are laid, −1 before; how many."""
    found, highest, last = np.empty(len(start), np.int32), -np.inf, -1
    for number in range(len(start)):
        moved = start[number, 0] != end[number, 0] or start[number, 1] != end[number, 1]
        if moved and extruded[number] > 0 and end[number, 2] > highest:
            highest = end[number, 2]
            last += 1
        found[number] = last
    return found, last + 1


class Survey(NamedTuple):
    """What the moves of a file come to; mm and minutes.

    Parameters
    ----------
    printed : (n,) whether a line is laid in a group.
    lines, first : by group: how many lines are laid, and the number of the first.
    laid_by_group, laid_by_feature : filament pushed while x or y changes.
    box : (2, 3) the lowest and highest ends of moves that go somewhere.
    part_box : (2, 3) of starts and ends of lines that stay on the part; without any, low is inf.
    most_at_once : the largest length pushed or pulled by one move.
    filament : the most that was ever pushed.
    pulls, longest_pull : how often filament is pulled back, and the longest pull.  Pulls that
        nothing is pushed between are one, as when the nozzle wipes while it pulls.
    minutes : of all moves at the speed commanded; a move of filament alone is as long as the
        filament.
    most_flow : filament a minute, the most on moves longer than was asked, in a straight line.
    """

    printed: Mask
    lines: Ints
    first: Ints
    laid_by_group: Floats
    laid_by_feature: Floats
    box: Floats
    part_box: Floats
    most_at_once: float
    filament: float
    pulls: int
    longest_pull: float
    minutes: float
    most_flow: float


@compiled
def surveyed(
    start: Floats,
    end: Floats,
    extruded: Floats,
    feeds: Floats,
    group: Groups,
    groups: int,
    feature: Features,
    stays: Mask,
    longer_than_mm: float,
) -> Survey:
    """The survey of (n,) moves.

    Parameters
    ----------
    start … feeds : as in a `Toolpath`.
    group, groups : of each move, −1 for none, and how many there are.
    feature, stays : of each move, and whether lines of each feature stay on the part.
    longer_than_mm : moves that count for the flow.
    """
    printed = np.zeros(len(feeds), np.bool_)
    lines, first = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    by_group, by_feature = np.zeros(groups), np.zeros(len(stays))
    box, part_box = np.empty((2, 3)), np.empty((2, 3))
    box[0], box[1], part_box[0], part_box[1] = np.inf, -np.inf, np.inf, -np.inf
    most_at_once = filament = most = pull = longest = minutes = most_flow = 0.0
    pulls = 0
    for number in range(len(feeds)):
        pushed, feed, square = extruded[number], feeds[number], 0.0
        for axis in range(3):
            square += (end[number, axis] - start[number, axis]) ** 2
        distance = np.sqrt(square)
        along = start[number, 0] != end[number, 0] or start[number, 1] != end[number, 1]
        if along or start[number, 2] != end[number, 2]:
            for axis in range(3):
                box[0, axis] = min(box[0, axis], end[number, axis])
                box[1, axis] = max(box[1, axis], end[number, axis])
        if feed > 0:
            minutes += (distance if distance > 0 else abs(pushed)) / feed
        filament += pushed
        most, most_at_once = max(most, filament), max(most_at_once, abs(pushed))
        if pushed < 0:
            pulls += pull == 0
            pull -= pushed
            longest = max(longest, pull)
        elif pushed > 0:
            pull = 0.0
            if distance > longer_than_mm:
                most_flow = max(most_flow, pushed / distance * feed)
            if along:
                by_feature[feature[number]] += pushed
                if stays[feature[number]]:
                    for axis in range(3):
                        here, there = start[number, axis], end[number, axis]
                        part_box[0, axis] = min(part_box[0, axis], here, there)
                        part_box[1, axis] = max(part_box[1, axis], here, there)
                own = group[number]
                if own >= 0:
                    printed[number] = True
                    first[own] = first[own] if lines[own] else number
                    lines[own] += 1
                    by_group[own] += pushed
    return Survey(
        *(printed, lines, first, by_group, by_feature, box, part_box, most_at_once),
        *(most, pulls, longest, minutes, most_flow),
    )


@compiled
def shared(
    seconds: Floats,
    group: Groups,
    groups: int,
    feature: Features,
    features: int,
    commands: Groups,
    chosen: Mask,
) -> tuple[Floats, Floats, float]:
    """The sums of (n,) seconds by group and by feature, and of the chosen.

    Parameters
    ----------
    group … features : as in `surveyed`, and how many features there are.
    commands, chosen : how many commands come before each move; whether moves after so many count.
    """
    by_group, by_feature, of_chosen = np.zeros(groups), np.zeros(features), 0.0
    for number in range(len(seconds)):
        if group[number] >= 0:
            by_group[group[number]] += seconds[number]
        by_feature[feature[number]] += seconds[number]
        if chosen[commands[number]]:
            of_chosen += seconds[number]
    return by_group, by_feature, of_chosen
