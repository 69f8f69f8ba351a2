"""The picture of tool path against part."""

import numpy as np

from labkit import views
from labkit.slicing.deviation import Deviation
from labkit.slicing.fidelity import Fidelity


def found(*deviations: Deviation) -> Fidelity:
    z_mm = np.linspace(0.2, 2.0, 10)
    same, nothing = np.full(10, 100.0), np.zeros(10)
    return Fidelity(
        volume_error=-0.0123,
        difference=0.004,
        z_mm=z_mm,
        height_mm=np.full(10, 0.2),
        area_part_mm2=same,
        area_printed_mm2=same,
        difference_mm2=nothing,
        deviation_p95_mm=nothing + 0.02,
        deviation_out_mm=nothing + 0.05,
        deviation_in_mm=nothing - 0.05,
        plastic_mm3=same,
        line_mm=0.45,
        deviations=deviations,
        notes=(),
    )


def test_the_picture_says_how_much_and_how_many_places() -> None:
    missing = Deviation("fail", "missing", "a piece", 2.0, 0.5, "mm²", layer=3, z_mm=0.8)
    thin = Deviation("warn", "seam", "open", 0.4, 0.3, "mm", layer=5, z_mm=1.2)
    bare, marked = views.fidelity(found()), views.fidelity(found(missing, missing, thin))
    assert "volume -1.23 %, 0.40 % in only one of the two, 10 layers" in bare.alt
    assert "layers upwards, Z 0.20 to 2.00 mm" in bare.alt
    assert "shown to ±0.50 mm" in bare.alt
    assert "0 places fail, 0 are worth a look" in bare.alt
    assert "2 places fail, 1 are worth a look" in marked.alt
    assert marked.png != bare.png
    assert views.fidelity(found()).png == bare.png
