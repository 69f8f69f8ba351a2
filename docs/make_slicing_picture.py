"""Make ``docs/slicing.png`` from the sample scan; takes no arguments."""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from PIL import Image

from labkit import equipment, views
from labkit.case import read_order
from labkit.design import Anatomy, design_part
from labkit.parameters import AnatomicalModel, Segmentation
from labkit.scan import choose, discover, read_volume
from labkit.segmentation import extract_surface, segment
from labkit.slicing.slicer import slice_part
from labkit.slicing.toolpath import read_toolpath
from labkit.surface import write_stl

WIDTH_PX = 1000


def main() -> None:
    """The model of the sample, sliced by the kit's own profiles."""
    here = Path(__file__).parent
    sample = here.parent / "sample_data"
    volume, chosen = read_volume(choose(discover(sample / "ct_forearm").series)), Segmentation()
    surface = extract_surface(volume, segment(volume, chosen), chosen).mesh
    part = design_part(Anatomy(surface), AnatomicalModel(), read_order(sample / "order.yaml"))
    machine = equipment.printer("practice")
    with TemporaryDirectory() as room:
        stl, gcode = Path(room) / "part.stl", Path(room) / "part.gcode"
        write_stl(part.mesh, stl)
        slice_part(stl, gcode, printer=machine, material=equipment.material("PLA"))
        picture = views.toolpath(
            SimpleNamespace(headless=True),
            read_toolpath(gcode),
            bed_mm=(machine.bed_min_mm, machine.bed_max_mm),
            title="Tool path",
        )
    with Image.open(BytesIO(picture.png)) as shown:
        height_px = round(shown.height * WIDTH_PX / shown.width)
        small = shown.convert("RGB").resize((WIDTH_PX, height_px), Image.Resampling.LANCZOS)
        small.quantize(64).save(here / "slicing.png", optimize=True)


if __name__ == "__main__":
    main()
