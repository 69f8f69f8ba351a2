"""Whether somebody looks on while a notebook runs, and through which program."""

import asyncio
import os
from typing import Any

from IPython.core.getipython import get_ipython

from labkit.stage import RUN_VARIABLE


def in_staff_view() -> bool:
    """Whether a person sees the notebook without its code: Voilà runs it."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila/")


def somebody_looks_on() -> bool:
    """Whether the notebook runs in front of a person: JupyterLab or Voilà, not papermill.

    A front-end with a person says with every cell that it can ask for input; papermill and
    nbconvert say that they cannot.  Voilà says so too, and has a person before it all the same.
    """
    if os.environ.get(RUN_VARIABLE):
        return False
    kernel: Any = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    if in_staff_view():
        return True
    asked = (kernel.get_parent("shell") or {}).get("content", {})
    return bool(asked.get("allow_stdin"))
