"""Commands that only one of two compared files has, apart from talk and modes."""

from collections import Counter
from collections.abc import Iterator

from labkit.slicing.deviation import Deviation
from labkit.slicing.setpoints import last_c
from labkit.slicing.steps import Command
from labkit.slicing.toolpath import Toolpath

TALK = frozenset(
    (
        *("M73", "M75", "M77", "M105", "M114", "M115", "M117", "M155", "M300", "M400", "M486"),
        *("M862.1", "M862.3", "M31", "M110"),
    )
)
"""Progress, questions, words on the display: nothing is printed otherwise for them."""

_MODES = frozenset(("G90", "G91", "M82", "M83", "G21", "G92", "T0"))
"""How numbers are meant: the reader has taken them into account."""

_FOLLOWED = frozenset(("M104", "M109", "M140", "M190", "M106", "M107", "M220", "M221"))
"""Compared by what is in force while something is laid down."""

_HEATERS = ("M104", "M109"), ("M140", "M190")

_MANY = frozenset(("M201", "M203", "M204", "M205", "M900"))
"""Set anew for each line by some slicers: compared by their different values."""


def other_commands(a: Toolpath, b: Toolpath) -> Iterator[Deviation]:
    """Other commands, and lines that are no plain commands, which only one file has."""
    kept = [Counter(key_of(c) for c in side.commands if _counts(c)) for side in (a, b)]
    many = [{key_of(c) for c in side.commands if c.name in _MANY} for side in (a, b)]
    faults = [Counter((f.rule, f.message) for f in side.faults) for side in (a, b)]
    for side, words, extra, also, wrong in (
        (a, "missing", kept[0] - kept[1], many[0] - many[1], faults[0] - faults[1]),
        (b, "new", kept[1] - kept[0], many[1] - many[0], faults[1] - faults[0]),
    ):
        for key in [*extra, *also]:
            lines = [c.line for c in side.commands if key_of(c) == key]
            yield Deviation(
                "fail", "command", f"{words}: {key[:60]}", max(extra[key], 1), 0, "times",
                line=lines[-1] if side is b else 0,
            )  # fmt: skip
        for rule, message in wrong:
            lines = [f.line for f in side.faults if (f.rule, f.message) == (rule, message)]
            yield Deviation(
                "fail", "command", f"{words}: {message[:60]}", wrong[rule, message], 0, "times",
                line=lines[-1] if side is b else 0,
            )  # fmt: skip
    hot = [[last_c(side, *names) for names in _HEATERS] for side in (a, b)]
    if hot[0] != hot[1]:
        yield Deviation(
            "fail", "left-hot", f"hotend and bed are left at {hot[1]} °C instead of {hot[0]}",
            max(hot[1]), max(hot[0]), "°C",
        )  # fmt: skip


def _counts(command: Command) -> bool:
    return command.name not in TALK | _MODES | _FOLLOWED | _MANY


def key_of(command: Command) -> str:
    """A command with its words in order, however it is written; texts as they stand."""
    if not command.words:  # none, or text follows
        return " ".join(command.text.split())
    words = sorted(command.words.items())
    return " ".join([command.name, *(f"{k}{'' if v is None else f'{v:g}'}" for k, v in words)])
