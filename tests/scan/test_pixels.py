"""Stored pixels become grey values: every encoding, bits, sign, padding, rescale."""

from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from labkit.errors import ScanError
from labkit.scan import choose, decoding, discover, read_volume, thumbnail
from labkit.scan.pixels import grey_values
from labkit.volume import AIR_HU
from tests.scan.made import IMAGES, ct_images, mr_images, only, set_pixels, truth_hu, voxels, write

Values = npt.NDArray[Any]

GDCM = {
    JPEG2000Lossless: gdcm.TransferSyntax.JPEG2000Lossless,
    JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
    JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    RLELossless: gdcm.TransferSyntax.RLELossless,
}
NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def _grey(signed: bool, bits: int) -> list[Values]:
    """Images that use the whole range of their bits."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    random = np.random.default_rng(bits)
    kind = np.int16 if signed else np.uint16
    made = [random.integers(low, high, (16, 24)).astype(kind) for _ in range(3)]
    made[0][0, :2] = low, high - 1
    return made


def _series(values: list[Values], bits: int = 16, **tags: Any) -> list[Dataset]:
    images = ct_images(PixelSpacing=[0.7, 0.7])[: len(values)]
    for image, grey in zip(images, values, strict=True):
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        set_pixels(image, grey, bits)
        for name, value in tags.items():
            setattr(image, name, value)
    return images


def _recode(folder: Path, syntax: UID) -> None:
    for path in folder.iterdir():
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(GDCM[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetFileName(str(path))
        writer.SetImage(change.GetOutput())
        assert writer.Write()


@pytest.mark.parametrize("bits", [12, 15])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("syntax", [*NATIVE, *GDCM], ids=lambda uid: uid.name)
def test_every_lossless_encoding_gives_the_same_pixels(
    tmp_path: Path, syntax: Any, signed: bool, bits: int
) -> None:
    values = _grey(signed, bits)
    folder = tmp_path / "ct"
    images = _series(values, bits)
    for image in images if syntax in NATIVE else ():
        image.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
        image["PixelData"].VR = "OW"
    write(images, folder)
    if syntax in GDCM:
        _recode(folder, syntax)
    assert (voxels(folder) == np.array(values)).all()


LOSSY_HU = {"1.2.840.10008.1.2.4.50": 65, "1.2.840.10008.1.2.4.51": 36}
"""8 and 12 bits instead of 16: steps of 32 and 2 HU, and the loss of JPEG itself."""
NEAR_HU = {"1.2.840.10008.1.2.4.81": 1, "1.2.840.10008.1.2.4.91": 5}


def test_the_sixteen_transfer_syntaxes_give_the_same_image(real_data: Path) -> None:
    series = discover(real_data / "dicom_transfer_syntaxes").series
    images = [image for one in series for image in one.images if one.modality == "CT"]
    assert len(images) == 16
    undecodable = {i.pixels.transfer_syntax: i.problem for i in images if i.pixels and i.problem}
    assert {uid[-3:]: why.partition(",")[0] for uid, why in undecodable.items()} == {
        ".53": "compressed as JPEG Spectral Selection",
        ".55": "compressed as JPEG Full Progression",
    }
    assert all(f"({uid})" in why for uid, why in undecodable.items())
    decoded = {
        i.pixels.transfer_syntax: grey_values(i, 1, 1) for i in images if i.pixels and not i.problem
    }
    truth = decoded[ExplicitVRLittleEndian].astype(int)
    assert (truth.min(), truth.max()) == (-3024, 1378)
    for uid, grey in decoded.items():
        assert np.abs(grey - truth).max() <= {**LOSSY_HU, **NEAR_HU}.get(uid, 0), uid


def test_padding_becomes_air_and_its_range_counts(tmp_path: Path) -> None:
    grey = np.arange(-8, 8, dtype=np.int16).reshape(4, 4)
    images = _series([grey] * 3, PixelPaddingValue=-8, PixelPaddingRangeLimit=-6)
    for image in images:
        image["PixelPaddingValue"].VR = image["PixelPaddingRangeLimit"].VR = "SS"
    volume = voxels(write(images, tmp_path / "ct"))
    assert (volume[0, 0] == [AIR_HU, AIR_HU, AIR_HU, -5]).all()
    assert (volume[0, 1:] == grey[1:]).all()


def test_monochrome1_is_a_wish_for_the_display_only(tmp_path: Path) -> None:
    images = ct_images(PhotometricInterpretation="MONOCHROME1")
    assert (voxels(write(images, tmp_path / "ct")) == truth_hu()).all()


def test_bits_beside_the_stored_ones_do_not_count(tmp_path: Path) -> None:
    grey = np.arange(16, dtype=np.uint16).reshape(4, 4)
    images = _series([grey] * 3, bits=12)
    images[1].PixelData = (grey | 0xF000).tobytes()
    images[1].add_new(0x60020102, "US", 12)  # Overlay Bit Position
    shifted = images[2]
    shifted.PixelData, shifted.HighBit = (grey << 3 | 0b101).tobytes(), 14
    assert (voxels(write(images, tmp_path / "ct")) == grey).all()


@pytest.mark.parametrize("padding", [63536, None])
def test_padding_may_need_more_bits_than_pixels_and_nothing_else_may(
    tmp_path: Path, padding: int | None
) -> None:
    grey = np.arange(16, dtype=np.uint16).reshape(4, 4)
    grey[0, 0] = 63536
    images = _series([grey] * 3, bits=12)
    if padding is None:
        with pytest.raises(ScanError, match="pixels of more than 12 bits"):
            voxels(write(images, tmp_path / "ct"))
        return
    for image in images:
        image.PixelPaddingValue = padding
    volume = voxels(write(images, tmp_path / "ct"))
    assert (volume[:, 0, 0] == AIR_HU).all()
    assert (volume[:, 1:] == grey[1:]).all()


def test_signed_values_of_more_bits_than_the_header_says_are_refused(tmp_path: Path) -> None:
    grey = np.full((4, 4), -1000, np.int16)
    grey[1, 1] = 3000  # would be -1096 in 12 bits
    with pytest.raises(ScanError, match="pixels of more than 12 bits"):
        voxels(write(_series([grey] * 3, bits=12), tmp_path / "ct"))


def test_padding_that_tissue_has_too_counts_only_from_the_border(tmp_path: Path) -> None:
    grey = np.full((6, 6), 40, np.int16)
    grey[:2, :2] = grey[3, 3] = 0
    images = _series([grey] * 3, PixelPaddingValue=0)
    for image in images:
        image["PixelPaddingValue"].VR = "SS"
    series = only(write(images, tmp_path / "ct"))
    volume = read_volume(series).voxels
    assert (volume[:, :2, :2] == AIR_HU).all()
    assert (volume[:, 3, 3] == 0).all()
    assert any(text.startswith("3 pixels away from the border") for text in series.findings)


def test_each_image_has_its_own_rescale(tmp_path: Path) -> None:
    images = ct_images()
    for k, image in enumerate(images):
        image.RescaleSlope, image.RescaleIntercept = 0.5 + k / 4, -1000 - 10 * k
    folder = write(images, tmp_path / "ct")
    stored = (truth_hu() + 1000) / 2
    slopes, intercepts = 0.5 + np.arange(IMAGES) / 4, -1000 - 10.0 * np.arange(IMAGES)
    expected = stored * slopes[:, None, None] + intercepts[:, None, None]
    assert (voxels(folder) == np.rint(expected)).all()


def test_hounsfield_units_that_no_body_has_are_refused(tmp_path: Path) -> None:
    grey = np.full((4, 4), 40_000, np.uint16)
    with pytest.raises(ScanError, match="grey values up to 40000"):
        voxels(write(_series([grey] * 3), tmp_path / "ct"))


def test_values_below_the_range_are_counted(tmp_path: Path) -> None:
    grey = np.zeros((4, 4), np.int16)
    grey[0, :3] = -32_000
    folder = write(_series([grey] * 3, RescaleIntercept=-1024), tmp_path / "ct")
    series = only(folder)
    assert (read_volume(series).voxels[0, 0] == [-32768, -32768, -32768, -1024]).all()
    assert series.findings[-1].startswith("9 pixels lay below -32768 HU")


def test_mr_keeps_the_steps_that_are_stored(tmp_path: Path) -> None:
    plain = choose(discover(write(mr_images(), tmp_path / "mr")).series)
    volume = read_volume(plain)
    assert volume.unit == plain.row()["unit"] == "arbitrary"
    assert "no unit" in str(plain.findings)
    assert (volume.voxels == (truth_hu() + 1000) // 2).all()
    scaled = mr_images(SeriesInstanceUID="1.2.3")
    for image in scaled:
        image.RescaleSlope, image.RescaleIntercept = 0.001, 0
    assert (voxels(write(scaled, tmp_path / "scaled")) == volume.voxels).all()


def test_mr_beyond_fifteen_bits_is_divided_and_says_so(tmp_path: Path) -> None:
    images = mr_images()[:3]
    grey = np.array([[0, 1000], [40_000, 65_534]], np.uint16)
    for image in images:
        set_pixels(image, grey)
    series = only(write(images, tmp_path / "mr"))
    assert (read_volume(series).voxels[1] == np.rint(grey / 2)).all()
    assert "divided by 2" in series.findings[-1]
    assert thumbnail(series).shape == (96, 82)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"SamplesPerPixel": 3}, "colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "pixels of 32 bits"),
        ({"HighBit": 9, "BitsStored": 12}, "highest bit 9"),
        ({"Rows": 60000, "Columns": 60000}, "a matrix of 60000 × 60000"),
        ({"Rows": 6}, "cut short"),
        ({"Rows": 4}, "40 bytes of pixels where its matrix takes 32"),
        ({"PixelRepresentation": None}, "whether they have a sign"),
        ({"NumberOfFrames": 2}, "multi-frame"),
        ({"RescaleSlope": 0}, "without Rescale Slope"),
        ({"RescaleSlope": None}, "without Rescale Slope"),
    ],
    ids=str,
)
def test_pixels_without_a_sure_meaning_are_refused(
    tmp_path: Path, tags: dict[str, Any], reason: str
) -> None:
    series = only(write(ct_images(**tags), tmp_path / "ct"))
    assert reason in str(series.refusal)
    assert not thumbnail(series).any() or "Rescale" in reason


@pytest.mark.parametrize(
    ("kind", "unit", "said"),
    [
        ("HU", "HU", ()),
        ("US", "HU", ("US (unspecified)",)),
        ("Z_EFF", "arbitrary", ("Z_EFF, not HU",)),
        ("DOE^JOHN", "arbitrary", ("something else",)),
    ],
)
def test_rescale_type_says_what_grey_values_are(
    tmp_path: Path, kind: str, unit: str, said: tuple[str, ...]
) -> None:
    images = ct_images(RescaleType=kind, PixelSpacing=[0.7, 0.7])
    series = only(write(images, tmp_path / "ct"))
    assert series.unit == unit
    assert [word in found for word, found in zip(said, series.findings, strict=True)] == [True] * (
        len(said)
    )
    assert "DOE" not in str(series.row())


def test_a_cone_beam_volume_is_not_calibrated(tmp_path: Path) -> None:
    series = only(write(ct_images(Manufacturer="PLANMECA OY"), tmp_path / "ct"))
    assert "not calibrated" in str(series.findings)


def _compressed(folder: Path) -> Path:
    write(_series(_grey(False, 12), 12), folder)
    _recode(folder, JPEGLSLossless)
    return folder


@pytest.mark.parametrize(
    "program", ["import os; os.abort()", "import time; time.sleep(60)", "print('{}')", "print(1)"]
)
def test_a_decoder_that_crashes_or_hangs_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    decoder = tmp_path / "decoder.py"
    decoder.write_text(program)
    monkeypatch.setattr(decoding, "DECODER", decoder)
    monkeypatch.setattr(decoding, "SECONDS_PER_MEGAPIXEL", 0.5)
    with pytest.raises(ScanError, match=r"image 1 of 3 .* the decoder crashed or hung"):
        voxels(_compressed(tmp_path / "ct"))


def test_a_damaged_frame_is_named_by_its_place(tmp_path: Path) -> None:
    folder = _compressed(tmp_path / "ct")
    path = sorted(folder.iterdir())[1]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 300] + bytes(len(content) // 2 - 300))
    with pytest.raises(ScanError, match=r"image 2 of 3 \(in order along the patient\)"):
        voxels(folder)


def test_a_thumbnail_keeps_the_proportions(tmp_path: Path) -> None:
    small = thumbnail(only(write(ct_images(), tmp_path / "ct")))
    assert small.dtype == np.uint8
    assert small.shape == (96, round(96 * 4 * 0.6 / (5 * 0.7)))
    assert small[0, 0] < small[-1, -1]
