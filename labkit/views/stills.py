"""A printer's picture in a page: the camera's still, or what the G-code is to become."""

import base64
import io
from functools import lru_cache
from html import escape

from PIL import Image

from labkit.errors import LabkitError
from labkit.views.picture import Picture

PICTURE_S = 5.0
"""How often a camera is asked for a still, and the picture of a print drawn anew."""

LONGEST_PX = 480
"""Stills are made smaller: they travel to the page every few seconds."""


@lru_cache(maxsize=64)
def smaller_png(picture: bytes) -> bytes | None:
    """A picture as PNG of at most `LONGEST_PX`; None where it is no picture."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            opened.thumbnail((LONGEST_PX, LONGEST_PX))
            stream = io.BytesIO()
            opened.convert("RGB").save(stream, "PNG")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return stream.getvalue()


def still(
    camera: bytes | None, planned: bytes | None, where: str, layer: str = ""
) -> Picture | None:
    """The camera's still, else the G-code's own picture; None where there is neither.

    Parameters
    ----------
    planned : the picture in the head of the G-code that is printed.
    where : the printer.
    layer : in words, what is being printed now.
    """
    now = f", {layer}" if layer else ""
    for png, what in ((camera, "camera of"), (planned, "picture in the G-code printed on")):
        shown = smaller_png(png) if png else None
        if shown is not None:
            return Picture(shown, f"{what} {where}{now}")
    return None


def figure_of(picture: Picture | None, caption: str, layer: str = "") -> str:
    """HTML of a picture with the layer written into it; in words where there is no picture."""
    if picture is None:
        return f'<p class="labkit-no-picture">no picture{f": {escape(layer)}" if layer else ""}</p>'
    source = base64.b64encode(picture.png).decode()
    written = f"<span>{escape(layer)}</span>" if layer else ""
    return (
        f'<figure class="labkit-still"><img alt="{escape(picture.alt)}" '
        f'src="data:image/png;base64,{source}">{written}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def asked_still(ask: object) -> bytes | None:
    """What a camera gives when it is asked; None where it does not answer."""
    if not callable(ask):
        return None
    try:
        found = ask()
    except LabkitError:
        return None
    return found if isinstance(found, bytes) else None
