"""Make ``docs/chain.png`` from a finished demo case: ``python docs/make_chain_picture.py CASE``."""

import sys
from pathlib import Path

from PIL import Image

PICTURES = (
    "01_scan/slices.png",
    "02_segmentation/surface.png",
    "03_design/part.png",
    "04_slicing/toolpath.png",
)
WIDTH_PX, HEIGHT_PX = 800, 420


def main(case: Path) -> None:
    """Two rows of two pictures, in the order of the stages."""
    chain = Image.new("RGB", (2 * WIDTH_PX, 2 * HEIGHT_PX), "white")
    for number, name in enumerate(PICTURES):
        with Image.open(case / name) as picture:
            small = picture.convert("RGB")
            small.thumbnail((WIDTH_PX, HEIGHT_PX))
            chain.paste(small, (number % 2 * WIDTH_PX, number // 2 * HEIGHT_PX))
    chain.quantize(128).save(Path(__file__).with_name("chain.png"), optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
