"""Every real folder with DICOM or NIfTI: one line per case, what it holds or why it is refused.

The expected values were read with other programs: positions, spacings and orientations
with ``dcmdump`` (DCMTK), tilt as the arc sine of the z of the column direction, rows of
a straightened volume from the drift (gaps along z times that sine, in pixels, rounded
up).  Where SimpleITK reads a case right, voxels and corners are compared with it.
SimpleITK itself is wrong on a tilted stack: it lays the images along their normal
without a shear, so that four images with a 14° tilt end 8.7 pixels beside their place;
and it evens out varying gaps by their mean, with a warning on stderr only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from labkit.errors import ScanError
from labkit.scan import Limits, Series, choose, discover, read_volume
from labkit.scan.pixels import grey_values
from labkit.volume import Volume


@dataclass(frozen=True)
class Case:
    """One series of a folder.

    Parameters
    ----------
    folder : the source.
    modality, images : as the table of series has them.
    shape : (k, j, i) of the volume; None when refused.
    spacing_mm : along i, j, k.
    tilt_deg : that is straightened.
    reason : words of the refusal, or of what was found.
    itk : whether SimpleITK's volume is the same.
    """

    folder: str
    modality: str
    images: int
    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    tilt_deg: float = 0.0
    reason: str = ""
    itk: bool = False
    interpolate: bool = False


SKULL, KNEE = "ct_skull_phantom_1mm", "ct_knee_sts013"
SMALL, SCREWS = "ct_irregular_small", "printed_part_ct_xcheck/Geometry"
NIFTI, UNKNOWN = "ct_torso_nifti_labels", "unknown (NIfTI)"
CASES = [
    Case(f"{SKULL}/S2030", "CT", 60, (60, 512, 512), (0.451171875, 0.451171875, 1.0), itk=True),
    Case(f"{SKULL}/S1000", "CT", 1, reason="a scout image"),
    Case(KNEE, "CT", 114, (114, 215, 252), (0.976562, 0.976562, 3.27), itk=True),
    Case("ct_torso_jpeg2000", "CT", 20, (20, 512, 512), (0.9765625, 0.9765625, 2.0), itk=True),
    Case("ct_head_ge_tilt_irregular", "CT", 28, reason="18.5° (gantry tilt)"),
    Case("ct_head_ge_tilt_irregular", "CT", 28, reason="1.08, 4, 7 mm"),
    Case(f"{SMALL}/gantrytilting", "CT", 4, (4, 521, 512), (0.41796875, 0.41796875, 4.85148), 14.0),
    Case(f"{SMALL}/sliceincrement", "CT", 4, reason="1 image missing"),
    Case(
        f"{SMALL}/sliceincrement",
        "CT",
        4,
        (5, 514, 512),
        (0.51171875, 0.51171875, 0.749704),
        15.5,
        reason="made up",
        interpolate=True,
    ),
    Case(f"{SCREWS}/Screw_5", "CT", 105, (105, 46, 81), (0.9765625, 0.9765625, 0.1), itk=True),
    Case(
        f"{SCREWS}/Screw_short",
        "CT",
        130,
        (130, 13, 69),
        (0.9765625, 0.9765625, 0.100008),
        itk=True,
    ),
    Case(f"{NIFTI}/example_ct.nii.gz", UNKNOWN, 112, (112, 101, 122), (3.0, 3.0, 3.0), itk=True),
    Case(f"{NIFTI}/example_seg_fast_force_split.nii.gz", UNKNOWN, 0, reason="labels"),
    Case(f"{NIFTI}/spine_report/test_result/totalseg.nii.gz", UNKNOWN, 0, reason="labels"),
    Case("dicom_transfer_syntaxes", "CT", 10, reason="where another one lies already"),
    Case("dicom_transfer_syntaxes/no-pixel-spacing.dcm", "US", 1, reason="colour"),
    Case("dicom_enhanced_multiframe", "CT", 20, reason="where another one lies already"),
]


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def _only(real_data: Path, case: Case) -> Series:
    limits = Limits(interpolate_missing=case.interpolate)
    return discover(real_data / case.folder, limits=limits).series[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.folder}-{case.reason}")
def test_every_real_case_comes_out_true_or_is_refused(real_data: Path, case: Case) -> None:
    series = _only(real_data, case)
    assert (series.modality, len(series.images)) == (case.modality, case.images)
    if case.shape is None:
        with pytest.raises(ScanError) as caught:
            choose([series])
        assert case.reason in caught.value.found
        assert series.spacing_mm is None
        return
    volume = read_volume(choose([series]))
    assert volume.voxels.shape == case.shape
    assert volume.spacing_mm.tolist() == pytest.approx(case.spacing_mm, rel=1e-5)
    assert series.geometry.tilt_deg == pytest.approx(case.tilt_deg, abs=0.05)
    assert bool(series.geometry.corrections) == bool(case.tilt_deg)
    assert case.reason in "; ".join((*series.geometry.corrections, *series.findings))
    assert volume.unit == "HU"
    if case.itk:
        _require_same(volume, _by_itk(real_data / case.folder))


def _by_itk(source: Path) -> Any:
    if source.is_file():
        return SimpleITK.ReadImage(str(source))
    folder = next(path.parent for path in sorted(source.rglob("*")) if _is_image(path))
    reader: Any = SimpleITK.ImageSeriesReader
    return SimpleITK.ReadImage(reader.GetGDCMSeriesFileNames(str(folder)))


def _is_image(path: Path) -> bool:
    with path.open("rb") if path.is_file() else Path("/dev/null").open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _require_same(volume: Volume, itk: Any) -> None:
    assert (volume.voxels == SimpleITK.GetArrayViewFromImage(itk)).all()
    for corner in np.ndindex(2, 2, 2):
        index = [int(end) for end in np.multiply(corner, np.array(itk.GetSize()) - 1)]
        expected = itk.TransformIndexToPhysicalPoint(index)
        assert volume.to_lps([index])[0] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("folder", ["gantrytilting", "sliceincrement"])
def test_a_straightened_volume_has_each_value_where_its_image_had_it(
    real_data: Path, folder: str
) -> None:
    """Every image against its plane of the volume, by the positions in its own header."""
    paths = sorted((real_data / SMALL / folder).rglob("*.dcm"))
    limits = Limits(interpolate_missing=True)
    volume = read_volume(choose(discover(real_data / SMALL / folder, limits=limits).series))
    for path in paths:
        itk: Any = SimpleITK.ReadImage(str(path))
        values = SimpleITK.GetArrayViewFromImage(itk)[0].astype(float)
        first, last = (
            volume.to_ijk([itk.TransformIndexToPhysicalPoint(index)])[0]
            for index in ((0, 0, 0), (511, 511, 0))
        )
        assert last - first == pytest.approx([511, 511, 0], abs=1e-3)
        i, j, k = first
        assert [i, k] == pytest.approx([round(i), round(k)], abs=1e-3)
        row, part = int(np.floor(j + 1e-6)), j - np.floor(j + 1e-6)
        plane = volume.voxels[round(k), :, round(i) : round(i) + 512].astype(float)
        rows = np.arange(8, 504)
        there = plane[rows + row] * (1 - part) + plane[rows + row + 1] * part
        beside = plane[rows + row + 4]
        off, off_beside = (np.abs(found - values[rows]).mean() for found in (there, beside))
        assert off < 0.6 * off_beside


SYNTAXES = {
    "": 0,
    "LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2": 0,
    "LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1": 0,
    "DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99": 0,
    "BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2": 0,
    "RLELosslessTransferSyntax_1.2.840.10008.1.2.5": 0,
    "JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57": 0,
    "JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70": 0,
    "JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80": 0,
    "JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90": 0,
    "JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81": 1,
    "JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91": 5,
    "JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51": 36,
    "JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50": 64,
}
"""Largest difference in HU from the uncompressed pixels: what the compression lost."""


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_one_image_in_fourteen_transfer_syntaxes(real_data: Path, syntax: str) -> None:
    """Each as SimpleITK decodes it, and as far from the plain bytes as its compression went."""
    folder = real_data / "dicom_transfer_syntaxes"
    path = folder / (f"CTImage.dcm_{syntax}.dcm" if syntax else "CTImage.dcm")
    plain = np.frombuffer((folder / "CTImage.dcm").read_bytes()[-2 * 512 * 512 :], "<i2")
    values = grey_values(discover(path).series[0].images[0], 1, 1).astype(int)
    itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))[0]
    assert (values == np.rint(itk)).all()
    assert np.abs(values - (plain.reshape(512, 512).astype(int) - 1024)).max() == SYNTAXES[syntax]


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53", "Process 6 and 8"),
        ("JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55", "Process 10 and 12"),
    ],
)
def test_a_syntax_that_cannot_be_decoded_is_named(real_data: Path, file: str, named: str) -> None:
    path = real_data / "dicom_transfer_syntaxes" / f"CTImage.dcm_{file}.dcm"
    with pytest.raises(ScanError) as caught:
        choose(discover(path).series)
    assert named in caught.value.found
    assert file.rpartition("_")[2] in caught.value.found


ENCODINGS = {
    "explicit_little_endian": 0,
    "fragmented_no_bot_jpeg_lossless.57": 0,
    "fragmented_no_bot_jpeg_lossless.70": 0,
    "fragmented_no_bot_jpeg_ls.80": 0,
    "not_fragmented_bot_jpeg_ls.80": 0,
    "not_fragmented_no_bot_jpeg_ls.80": 0,
    "not_fragmented_bot_rle": 0,
    "not_fragmented_no_bot_rle": 0,
    "fragmented_no_bot_jpeg_ls.81": 2,
    "fragmented_no_bot_jpeg_baseline.51": 1037,
}
"""Largest difference from the uncompressed; ``.51`` stores values that are 1023 ± 14 higher.

DCMTK's ``dcmdjpeg`` and SimpleITK read the same from it.
"""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_two_frames_in_ten_encodings(real_data: Path, encoding: str) -> None:
    folder = real_data / "dicom_enhanced_multiframe"
    plain = (folder / "CT0012.explicit_little_endian.dcm").read_bytes()[-2 * 2 * 512 * 512 :]
    stored = np.frombuffer(plain, "<u2").reshape(2, 512, 512).astype(int)
    series = discover(folder / f"CT0012.{encoding}.dcm").series[0]
    assert series.refusal == "only 2 images"
    found = np.stack([grey_values(image, 1, 1, series.unit) for image in series.images])
    assert np.abs(found - (stored - 1024)).max() == ENCODINGS[encoding]
    positions = np.array([image.position_lps_mm for image in series.images])
    assert positions.tolist() == [[99.5, -301.5, -159.0], [99.5, -301.5, -149.0]]
    assert {image.pixel_spacing_mm for image in series.images} == {(0.388672, 0.388672)}


def test_no_pixels_are_no_image(real_data: Path) -> None:
    with pytest.raises(ScanError, match="1 DICOM file without images"):
        discover(real_data / "dicom_transfer_syntaxes" / "no-pixel-data.dcm")


def test_no_folder_with_a_scan_is_left_out(real_data: Path) -> None:
    held = {
        path.relative_to(real_data).parts[0]
        for path in real_data.rglob("*")
        if path.name.endswith(".nii.gz") or (path.is_file() and _is_image(path))
    }
    named = {case.folder.partition("/")[0] for case in CASES}
    assert held == named
