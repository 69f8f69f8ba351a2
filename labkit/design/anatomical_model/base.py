"""The base: a marked plate with *landing blocks* under a model.

Landing blocks are plain blocks of known size that calipers can grip, since nothing on
a bone is flat (Ravi 2022, PMC9156585).
"""

import manifold3d
import numpy as np

from labkit.design.part import Feature
from labkit.design.solids import block, bounds, box, raised_text

BASE_THICKNESS_MM = 3.0
MARGIN_MM = 4.0
OVERLAP_MM = 0.6
"""How far the part sinks into its base, so that the two print as one."""
BLOCK_MM = 10.0
TEXT_HEIGHT_MM = 6.0
TEXT_RAISED_MM = 0.9


def base_under(body: manifold3d.Manifold, words: str) -> tuple[manifold3d.Manifold, list[Feature]]:
    """The base under a body, in the body's frame, and the dimensions to inspect on it.

    In front of the part (towards −y) runs a strip: block A, the words, block B.
    """
    low, high = bounds(body)
    text, text_width = raised_text(
        words, height_mm=TEXT_HEIGHT_MM, raised_mm=TEXT_RAISED_MM, sunk_mm=OVERLAP_MM
    )
    width = max(high[0] - low[0] + 2 * MARGIN_MM, text_width + 2 * BLOCK_MM + 4 * MARGIN_MM)
    left, right = (low[0] + high[0] - width) / 2, (low[0] + high[0] + width) / 2
    front = low[1] - 2 * MARGIN_MM - BLOCK_MM
    top = low[2] + OVERLAP_MM
    bottom = top - BASE_THICKNESS_MM
    plate = block((left, front, bottom), (right, high[1] + MARGIN_MM, top))
    strip = front + MARGIN_MM
    block_a = (left + MARGIN_MM, strip, bottom)
    block_b = (right - MARGIN_MM - BLOCK_MM, strip, bottom)
    size = np.array([BLOCK_MM, BLOCK_MM, BASE_THICKNESS_MM + BLOCK_MM])
    base = plate + block(block_a, block_a + size) + block(block_b, block_b + size)
    middle = (left + right - text_width) / 2
    base += text.translate((middle, strip + (BLOCK_MM - TEXT_HEIGHT_MM) / 2, top - OVERLAP_MM))
    above = np.array([-1.0, -1.0, BASE_THICKNESS_MM + 2.0])
    around_a = box(block_a + above, block_a + size + 1)
    both = box(block_a + above, block_b + size + 1)
    beside = [np.array(block_a) - 1, np.array(block_a) + size + 1]
    apart = float(block_b[0] + BLOCK_MM - block_a[0])
    return base, [
        Feature("landing block A, width", "x", BLOCK_MM, around_a),
        Feature("landing block A, depth", "y", BLOCK_MM, around_a),
        Feature("landing block A, height over all", "z", float(size[2]), box(*beside)),
        Feature("landing blocks A to B, outside", "x", apart, both),
    ]
