"""Every real scan that the import accepts: a surface that can be printed, or the reason why not."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.scan import Limits, choose, discover, read_volume
from labkit.segmentation import SurfaceError, extract_surface, segment
from labkit.self_intersection import self_intersections
from labkit.surface import read_stl, solid, write_stl
from labkit.views import where_it_fails
from tests.scan.test_real_data import CASES

ACCEPTED = {case.folder: case.interpolate for case in CASES if case.shape is not None}


@dataclass(frozen=True)
class Expected:
    """What comes of a scan.

    Parameters
    ----------
    volume_mm3 : of the body; 0 where it is refused.
    reason : words of the refusal.
    decided : what differs from the parameters as shipped.
    """

    volume_mm3: float = 0.0
    reason: str = ""
    decided: dict[str, object] = field(default_factory=dict)


PLASTIC: dict[str, object] = {"structure": "skin", "threshold_hu": -300}
EXPECTED = {
    "ct_skull_phantom_1mm/S2030": [Expected(232_000)],
    "ct_knee_sts013": [Expected(157_900)],
    "ct_torso_jpeg2000": [Expected(29_390)],
    "ct_irregular_small/gantrytilting": [Expected(reason="lies above 300 HU")],  # air only
    "ct_irregular_small/sliceincrement": [Expected(reason="lies above 300 HU")],
    "printed_part_ct_xcheck/Geometry/Screw_5": [
        Expected(reason="nothing larger than 1 mm3"),
        Expected(1024, decided=PLASTIC),
    ],
    "printed_part_ct_xcheck/Geometry/Screw_short": [
        Expected(10.7),
        Expected(1158, decided=PLASTIC),
    ],
    "ct_torso_nifti_labels/example_ct.nii.gz": [Expected(85_980)],
}


def test_no_scan_that_is_accepted_is_left_out() -> None:
    assert set(EXPECTED) == set(ACCEPTED)


@pytest.mark.parametrize("folder", EXPECTED)
def test_a_real_scan_leaves_a_surface_to_print_or_a_reason(
    real_data: Path, lab_home: Path, tmp_path: Path, folder: str
) -> None:
    limits = Limits(interpolate_missing=ACCEPTED[folder])
    volume = read_volume(choose(discover(real_data / folder, limits=limits).series))
    for expected in EXPECTED[folder]:
        decided = Segmentation.model_validate(expected.decided)
        try:
            with where_it_fails(volume):  # draws the place, if the error has one
                mask = segment(volume, decided)
                mesh = extract_surface(volume, mask, decided).mesh
        except SegmentationError as error:
            assert expected.reason, f"refused: {error}"
            assert expected.reason in error.found
            assert error.fix
            assert not isinstance(error, SurfaceError) or len(error.places_lps_mm)
            continue
        assert not expected.reason, f"a surface of {mesh.volume:.0f} mm3"
        assert mesh.volume == pytest.approx(expected.volume_mm3, rel=0.02)
        assert solid(mesh.vertices, mesh.faces, folder).volume() == pytest.approx(mesh.volume)
        assert not len(self_intersections(np.asarray(mesh.vertices), np.asarray(mesh.faces)))
        write_stl(mesh, tmp_path / "surface.stl")
        stored = read_stl(tmp_path / "surface.stl")
        assert stored.is_watertight
        assert stored.is_winding_consistent
