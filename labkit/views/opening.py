"""A notebook opened beside this one, in the same JupyterLab."""

import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anywidget
import ipywidgets
from IPython.display import HTML, display

from labkit.staff_view import FOLDER_VARIABLE, address
from labkit.views.presence import in_staff_view

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
    and opens a tab beside it.  The same link as a widget would leave the page, which is what
    the staff view is to do.
    """

    def __init__(self) -> None:
        self._shown: Any = None
        self._link = ipywidgets.HTML()
        if not in_staff_view():
            self._shown = display(HTML(""), display_id=True)  # type: ignore[no-untyped-call]
        self._presser: Any = _Presser()
        self._class = f"labkit-opens-{self._presser.model_id}"
        self.widget = ipywidgets.VBox([self._presser, self._link])

    def open(self, notebook: Path, name: str) -> None:
        """Open a notebook; the link stays, in case it did not open."""
        html = link(notebook, name, self._class)
        if in_staff_view():
            self._link.value = html
        elif self._shown is not None:  # None outside of a notebook
            self._shown.update(HTML(html))  # type: ignore[no-untyped-call]
        self._presser.send({"where": self._class})


def link(notebook: Path, name: str, css_class: str) -> str:
    """HTML of a link to a notebook, as the front-end that shows this one understands it."""
    if in_staff_view():
        base = os.environ.get("VOILA_BASE_URL", "/")
        place = base + address(Path(os.path.relpath(notebook, os.environ[FOLDER_VARIABLE])))
    else:
        place = quote(Path(os.path.relpath(notebook)).as_posix())
    return f'<a class="{css_class}" href="{place}">{escape(name)}</a>'
