"""What is set while a file is printed: temperatures, fan, factors, and the slicer's settings."""

import re

import numpy as np
import numpy.typing as npt

from labkit.slicing.steps import Command
from labkit.slicing.toolpath import Notes, Toolpath

Array = npt.NDArray[np.float64]

_SETTING = re.compile(r"([a-z][a-z0-9_]*) = (.*)")


def stated_settings(toolpath: Toolpath) -> dict[str, str]:
    """The settings that the slicer wrote into the file as ``; key = value``; may be none.

    They say what was asked for, not what the file does: both may have been altered.
    """
    notes = toolpath.notes
    chosen = notes.matching(rb" = ") if isinstance(notes, Notes) else notes
    found = (_SETTING.fullmatch(note.text) for note in chosen)
    return {one[1]: one[2] for one in found if one}


def stated_number(settings: dict[str, str], key: str) -> float | None:
    """The number of a setting, without its percent sign; the first of several extruders'."""
    try:
        return float(settings[key].split(",")[0].rstrip("% "))
    except (KeyError, ValueError):
        return None


def hotend_c(toolpath: Toolpath) -> Array:
    """(n,) float64: what the hotend is set to at each move, °C; 0 before it is set."""
    return toolpath.set_by(lambda command: _celsius(command, "M104", "M109"))


def bed_c(toolpath: Toolpath) -> Array:
    """(n,) float64: what the bed is set to at each move, °C; 0 before it is set."""
    return toolpath.set_by(lambda command: _celsius(command, "M140", "M190"))


def last_c(toolpath: Toolpath, *names: str) -> float:
    """What these commands leave set at the end of the file, °C; 0 where they do not occur."""
    found = (_celsius(command, *names) for command in reversed(toolpath.commands))
    return next((value for value in found if value is not None), 0.0)


def fan_percent(toolpath: Toolpath) -> Array:
    """(n,) float64: the part's fan (number 0) at each move, percent; 0 before it is set."""
    return toolpath.set_by(_fan) / 2.55


def factor_percent(toolpath: Toolpath, name: str) -> Array:
    """(n,) float64: the factor of ``M220`` (speed) or ``M221`` (flow) at each move, percent."""
    return toolpath.set_by(lambda command: _factor(command, name), before=100.0)


def _celsius(command: Command, *names: str) -> float | None:
    if command.name not in names or not command.words:
        return None
    return command.words.get("S", command.words.get("R"))


def _fan(command: Command) -> float | None:
    if command.name not in ("M106", "M107") or command.words is None or command.words.get("P"):
        return None
    if command.name == "M107":
        return 0.0
    speed = command.words.get("S", 255.0)
    return None if speed is None else min(max(speed, 0.0), 255.0)


def _factor(command: Command, name: str) -> float | None:
    return command.words.get("S") if command.name == name and command.words else None
