"""Tables and messages: HTML for the eye, the same words as plain text."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from labkit.case import Check, Verdict
from labkit.views.ink import INK, PAPER

_SIGNS: dict[Verdict, tuple[str, str]] = {
    # sign and colour on white; each colour has a contrast of 4.5 : 1 or more (WCAG 2.2, 1.4.3)
    "pass": ("✔", "#00664b"),
    "action": ("▲", "#8a5000"),
    "fail": ("✘", "#b00020"),
    "not done": ("–", "#595959"),
}


class Words:
    """Something to read in a notebook: HTML, and the same as plain text."""

    def __init__(self, html: str, text: str) -> None:
        self.html = html
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


def message(text: str) -> Words:
    """One paragraph of plain words."""
    return Words(f'<p style="max-width: 60em">{escape(text)}</p>', text)


def joined(parts: Sequence[Words]) -> Words:
    """Several words below each other as one."""
    return Words("".join(part.html for part in parts), "\n\n".join(part.text for part in parts))


Row = Sequence[object] | Mapping[str, object]


def table(rows: Iterable[Row], columns: Sequence[str]) -> Words:
    """A table of ``rows``: as long as ``columns``, or mappings that are asked for each column.

    Numbers to six digits; None is a dash.
    """
    cells = [
        [_cell(value) for value in (map(row.get, columns) if isinstance(row, Mapping) else row)]
        for row in rows
    ]
    for row in cells:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} cells under {len(columns)} columns")
    return _table(cells, columns, [[""] * len(columns) for _ in cells])


def signed(verdict: Verdict) -> tuple[str, str]:
    """A verdict as sign and word, and the colour that goes with it."""
    sign, colour = _SIGNS[verdict]
    return f"{sign} {verdict}", colour


def checks(items: Iterable[Check]) -> Words:
    """Checks with value, limit and verdict; the verdict as sign and word, not colour alone."""
    cells, colours = [], []
    for item in items:
        word, colour = signed(item.verdict)
        value = f"{_cell(item.value)} {item.unit}".rstrip()
        cells.append([item.name, value, item.limit, word])
        colours.append(["", "", "", f"color: {colour}; font-weight: bold; white-space: nowrap"])
    return _table(cells, ["check", "value", "limit", "verdict"], colours)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(cells: list[list[str]], columns: Sequence[str], styles: list[list[str]]) -> Words:
    heads = "".join(f'<th scope="col" style="text-align: left">{escape(c)}</th>' for c in columns)
    body = "".join(
        f'<tr style="background: {PAPER}">'  # or JupyterLab's dark rows would hide the ink
        + "".join(_td(text, look) for text, look in zip(row, looks, strict=True))
        + "</tr>"
        for row, looks in zip(cells, styles, strict=True)
    )
    html = (
        f'<table style="color: {INK}; background: {PAPER}">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    lines = [[*columns], ["-" * width for width in widths], *cells]
    text = "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return Words(html, text)


def _td(text: str, look: str) -> str:
    style = f"text-align: left; {look}".rstrip("; ")
    return f'<td style="{style}">{escape(text)}</td>'
