"""What a command says: one document or a table on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from labkit.pace import Pace

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


def document(content: object) -> None:
    """Put one JSON document on stdout."""
    line(json.dumps(content, indent=1, ensure_ascii=False, default=str))


def line(text: str) -> None:
    """Put a line on stdout: a result."""
    sys.stdout.write(text + "\n")


def say(text: str) -> None:
    """Put a line on stderr: progress, words, errors."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def steps(verb: str, say: Callable[[str], None] = say) -> Callable[[int, int], None]:
    """A progress for (done, total) that says ``verb`` at the first, each tenth and the last."""
    told = -1
    pace = Pace()

    def progress(done: int, total: int) -> None:
        nonlocal told
        left = pace.left(done, total)
        if total and (tenth := 10 * done // total) != told:
            told = tenth
            say(f"{verb} {done} of {total}{left}")

    return progress


def table(rows: Sequence[dict[str, Any]], columns: list[str]) -> None:
    """Put rows on stdout; nothing in them is ever cut off."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(str(row.get(column, "")) for column in columns))
    width = None if sys.stdout.isatty() else 1000
    Console(highlight=False, markup=False, soft_wrap=True, width=width).print(shown)
