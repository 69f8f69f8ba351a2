"""The series of a source as a table with small pictures."""

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from labkit.protocols import Protocol
from labkit.scan.fitness import row_of
from labkit.scan.series import Series
from labkit.scan.thumbnails import thumbnail
from labkit.views.orientation import LPS
from labkit.views.words import Words, table
from labkit.volume import Array

COLUMNS = {
    **{name: name for name in ("key", "verdict", "modality", "images", "matrix", "plane")},
    "spacing_mm": "spacing, mm",
    "slice_thickness_mm": "thickness, mm",
    **{name: name for name in ("kernel", "part", "why")},
}
"""What a row of the table shows, and what a person reads above it."""

_SIGNS = {"pass": "✔", "action": "▲", "fail": "✘", "refused": "✘"}


def series(found: Sequence[Series], protocol: Protocol) -> Words:
    """Every series with its verdict by the protocol, and a picture of each usable one.

    A refused series has no picture: what is drawn into scouts and screen shots may name
    the patient, and the notebook is kept.
    """
    words = table([_readable(row_of(one, protocol)) for one in found], list(COLUMNS.values()))
    shown = [_picture(thumbnail(one), one) for one in found if not one.refusal]
    return Words(words.html + "".join(shown), words.text)


def _readable(row: Mapping[str, object]) -> list[object]:
    spacing = row["spacing_mm"]
    shown = dict(row)
    if isinstance(spacing, list):
        shown["spacing_mm"] = " × ".join(f"{mm:.4g}" for mm in spacing)
    shown["verdict"] = f"{_SIGNS.get(str(row['verdict']), '–')}\N{NO-BREAK SPACE}{row['verdict']}"
    return [shown[name] for name in COLUMNS]


def _picture(grey: npt.NDArray[np.uint8], one: Series) -> str:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, format="PNG")
    code = base64.b64encode(stream.getvalue()).decode()
    sides = _sides(one)
    alt = f"the middle image of series {one.key}, {one.plane}; {sides}"
    return (
        '<figure style="display: inline-block; margin: 0 1em 0 0">'
        f'<img alt="{alt}" src="data:image/png;base64,{code}">'
        f"<figcaption>{one.key}, {one.plane}<br>{sides}</figcaption></figure>"
    )


def _sides(one: Series) -> str:
    """What lies at the edges of a series' images and how large they are, in words."""
    if not one.images:
        return "sides not known"
    image = one.images[0]
    said = ["sides not known"]
    if image.orientation is not None:
        across, down = (_ends(image.orientation[n : n + 3]) for n in (0, 3))
        said = [f"{across[0]} to {across[1]} across", f"{down[0]} to {down[1]} down"]
    if image.pixel_spacing_mm is not None:
        tall_mm, wide_mm = np.multiply(image.shape, image.pixel_spacing_mm)
        said.append(f"{wide_mm:.0f} × {tall_mm:.0f} mm")
    return ", ".join(said)


def _ends(along_lps: Array) -> tuple[str, str]:
    """The letters where a direction comes from and leads to."""
    axis = int(np.argmax(np.abs(along_lps)))
    negative, positive = LPS[axis]
    return (negative, positive) if along_lps[axis] > 0 else (positive, negative)
