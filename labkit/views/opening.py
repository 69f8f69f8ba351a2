"""A notebook opened beside this one, in the same JupyterLab."""

import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anywidget
import ipywidgets

_ESM = """
export default {
  render({ model, el }) {
    model.on("msg:custom", (told) => {
      let left = 40;  // JupyterLab makes the link its own some moments after it is shown
      const find = () => {
        const link = document.querySelector(`.${told.where} a[href*="/"]`);
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
        self._link = ipywidgets.Output()
        self._presser: Any = _Presser()
        self._class = f"labkit-opens-{self._link.model_id}"
        self._link.add_class(self._class)
        self.widget = ipywidgets.VBox([self._link, self._presser])

    def open(self, notebook: Path, name: str) -> None:
        """Open a notebook; the link stays, in case it did not open."""
        self._link.outputs = (
            {
                "output_type": "display_data",
                "data": {"text/html": link(notebook, name), "text/plain": str(notebook)},
                "metadata": {},
            },
        )
        self._presser.send({"where": self._class})

    def clear(self) -> None:
        """Show no link any more."""
        self._link.outputs = ()


def link(notebook: Path, name: str) -> str:
    """HTML of a link to a notebook, from the folder that this notebook runs in."""
    place = quote(Path(os.path.relpath(notebook)).as_posix())
    return f'<a href="{place}">{escape(name)}</a>'
