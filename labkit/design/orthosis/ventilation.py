"""Holes that let the skin breathe: a hexagonal pattern over the wall, mm, limb frame."""

import manifold3d
import numpy as np

from labkit.design.fitted_shell import Shell
from labkit.parameters.design.orthosis import Orthosis
from labkit.volume import Array

_SIDES = 32


def nominal_open_share(hole_mm: float, web_mm: float) -> float:
    """The open share of an endless hexagonal pattern: π d² / (2 √3 p²), p from middle to middle."""
    return float(np.pi * hole_mm**2 / (2 * np.sqrt(3) * (hole_mm + web_mm) ** 2))


def holes(shell: Shell, parameters: Orthosis, keep_off_mm: float) -> list[manifold3d.Manifold]:
    """One drill per hole, square to the wall; none within ``keep_off_mm`` of the parting plane.

    Rows stand a hexagonal pattern's distance apart; along each the holes are evenly spaced.
    """
    if parameters.ventilation == "none":
        return []
    pitch = parameters.hole_mm + parameters.web_mm
    margin = parameters.flare_length_mm / 2 + parameters.hole_mm / 2 + parameters.web_mm
    room = parameters.length_mm - 2 * margin
    rows = int(room / (pitch * np.sqrt(3) / 2)) + 1 if room >= 0 else 0
    middle = shell.limb.low_mm + parameters.length_mm / 2
    found = []
    for row in range(rows):
        height = middle + (row - (rows - 1) / 2) * pitch * np.sqrt(3) / 2
        for place, outwards in _along(shell.outer, float(height), pitch, (row % 2) / 2):
            if abs(place[1]) >= keep_off_mm + parameters.hole_mm / 2:
                found.append(_drill(parameters, place, outwards))
    return found


def _along(
    outer: manifold3d.Manifold, height: float, pitch: float, shift: float
) -> list[tuple[Array, Array]]:
    """Places on the outer wall at one height, (3,), and the direction out of it, (2,)."""
    outline = max(outer.slice(height).to_polygons(), key=_area)
    steps = np.roll(outline, -1, axis=0) - outline
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(steps, axis=1))])
    closed = np.vstack([outline, outline[:1]])
    count = int(length[-1] / pitch)

    def at(along: Array) -> Array:
        wrapped = along % length[-1]
        return np.column_stack([np.interp(wrapped, length, closed[:, i]) for i in (0, 1)])

    along = (np.arange(count) + shift) * length[-1] / max(count, 1)
    chord = at(along + pitch / 4) - at(along - pitch / 4)
    outwards = np.column_stack([chord[:, 1], -chord[:, 0]])
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-9)
    places = np.column_stack([at(along), np.full(count, height)])
    return list(zip(places, outwards, strict=True))


def _area(polygon: Array) -> float:
    following = np.roll(polygon, -1, axis=0)
    return float((polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]).sum() / 2)


def _drill(parameters: Orthosis, place: Array, outwards: Array) -> manifold3d.Manifold:
    length = 4 * parameters.wall_mm + 2
    radius = parameters.hole_mm / 2
    drill = manifold3d.Manifold.cylinder(length, radius, radius, _SIDES, center=True)
    angle = np.degrees(np.arctan2(outwards[1], outwards[0]))
    return drill.rotate((0, 90, 0)).rotate((0, 0, angle)).translate(place)
