"""Make ``docs/segmentation.png`` from the sample scan; takes no arguments."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from labkit import views
from labkit.parameters import Segmentation
from labkit.scan import choose, discover, read_volume
from labkit.segmentation import Review, extract_structures, structures_of

STRUCTURES = "radius @ -154.7, -21.6, 1333.0; ulna @ -134.7, -20.1, 1333.0"
"""The two bones of the sample, as docs/segmentation.md names them."""

GAP_LPS_MM = [-147.2, -22.9, 1345.0]
"""Between the bones: a bridge drawn there is easily seen."""

WIDTH_PX = 1000


def main() -> None:
    """Three rows: the threshold, a correction by hand, and two structures."""
    here = Path(__file__).parent
    volume = read_volume(choose(discover(here.parent / "sample_data" / "ct_forearm").series))
    review = Review(volume, Segmentation(components=2))
    plain = views.slices(volume, mask=review.draft, threshold_hu=300, title="1 The threshold")
    look = {"plane": "axial", "brush": "ball", "normal_lps": [0, 0, 1]}
    review.draw(mode="add", radius_mm=6, points_lps_mm=[GAP_LPS_MM], **look)
    corrected = views.slices(
        volume,
        mask=review.draft,
        threshold_hu=300,
        point_lps_mm=np.array(GAP_LPS_MM),
        title="2 Corrected by hand: a ball is added to the mask",
    )
    two = structures_of(volume, Segmentation(structures=STRUCTURES))
    surfaces = extract_structures(volume, two)
    coloured = views.surface(
        surfaces.whole.mesh, title="3 Two structures, each with its surface", parts=surfaces.parts
    )
    rows = [_trimmed(picture) for picture in (plain, corrected, coloured)]
    page = Image.new("RGB", (WIDTH_PX, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        page.paste(row, (0, top))
        top += row.height
    page.quantize(128).save(here / "segmentation.png", optimize=True)


def _trimmed(picture: views.Picture) -> Image.Image:
    """The picture in its width, without the empty paper at its foot."""
    row = Image.open(BytesIO(picture.png)).convert("RGB")
    _, _, _, foot = ImageOps.invert(row).getbbox() or (0, 0, 0, row.height)
    row = row.crop((0, 0, row.width, foot + 30))
    return row.resize((WIDTH_PX, row.height * WIDTH_PX // row.width))


if __name__ == "__main__":
    main()
