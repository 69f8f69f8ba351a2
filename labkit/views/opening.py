"""A notebook opened beside this one, in the same JupyterLab."""

import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anywidget
from IPython.display import HTML, display

_ESM = """
export default {
  render({ model, el }) {
    model.on("msg:custom", (told) => {
      let left = 40;  // JupyterLab makes the link its own some moments after it is shown
      const find = () => {
        const link = document.querySelector(`.${told.where}[href*="/"]`);
        if (link) link.click();
        else if (left--) setTimeout(find, 100);
      };
      setTimeout(find, 100);
    });
  },
};
"""


class _Presser(anywidget.AnyWidget):
    """Presses the link for the person, who has already pressed a button."""

    _esm = _ESM


class Opener:
    """Shows a link to a notebook and opens it.

    A link in an output is JupyterLab's own: it is resolved from where this notebook lies,
    and opens a tab beside it.  The same link as a widget would leave the page.
    """

    def __init__(self) -> None:
        self._shown: Any = display(HTML(""), display_id=True)  # type: ignore[no-untyped-call]
        self._presser: Any = _Presser()
        self._class = f"labkit-opens-{self._presser.model_id}"
        self.widget = self._presser

    def open(self, notebook: Path, name: str) -> None:
        """Open a notebook; the link stays, in case it did not open."""
        if self._shown is not None:  # None outside of a notebook
            html = HTML(link(notebook, name, self._class))  # type: ignore[no-untyped-call]
            self._shown.update(html)
        self._presser.send({"where": self._class})


def link(notebook: Path, name: str, css_class: str) -> str:
    """HTML of a link to a notebook, from the folder that this notebook runs in."""
    place = quote(Path(os.path.relpath(notebook)).as_posix())
    return f'<a class="{css_class}" href="{place}">{escape(name)}</a>'
