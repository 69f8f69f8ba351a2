"""The notebooks without their code: decisions beside their pictures, then what was recorded.

Voilà runs all cells of a notebook when its page is opened.  A stage must not run before a
person has decided, so of its notebook only what is needed to decide is shown; *Accept* then
starts the same run as everywhere else, and its evidence appears on the page.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

START_VARIABLE = "LABKIT_START_PAGE"
"""Where the first page is, from the folder that the server shows."""
FOLDER_VARIABLE = "LABKIT_LAB_FOLDER"
"""The folder that the server shows; nothing outside of it can be opened."""

DECISION = "decision"
"""The tag of a cell that a person decides by, besides those that every stage has."""
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]*\)")
"""A link to another file: its words stay, since the page shows notebooks only."""
_ALWAYS = {"parameters", "set-up", "record"}


def address(notebook: Path) -> str:
    """Where the server shows a notebook without its code, from the server's base."""
    return f"voila/render/{quote(notebook.as_posix())}"


def without_code(req: Any, notebook: Any, cwd: str) -> Any:  # as Voilà calls it
    """A notebook as the staff view runs it: of a stage only the cells to decide by.

    Markdown stays with the code cell that follows it, and the title always.  A notebook that
    is no stage is shown whole.  A cell that is refused leaves those below it standing: there
    a person sets right what was refused.

    Parameters
    ----------
    notebook : an nbformat node; changed in place.
    """
    cells = notebook.cells
    notebook.metadata["title"] = _title(cells)
    if not any(cell.get("id") == "record" for cell in cells):
        return notebook
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(r"\1", cell.source)
    kept: list[Any] = []
    words: list[Any] = []
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            (kept if number == 0 else words).append(cell)
        else:
            if cell.get("id") in _ALWAYS or DECISION in _tags(cell):
                cell.metadata["tags"] = [*_tags(cell), "raises-exception"]
                kept += [*words, cell]
            words = []
    notebook.cells = kept
    return notebook


def without_formulas(page: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The settings of a page without MathJax, which Voilà would fetch from outside."""
    return page | {"fullMathjaxUrl": "null", "mathjaxConfig": "null"}


def _tags(cell: Any) -> list[str]:
    tags: list[str] = cell.metadata.get("tags", [])
    return tags


def _title(cells: Any) -> str:
    first = cells[0].source.splitlines() if cells else []
    return first[0].lstrip("# ") if first else "labkit"
