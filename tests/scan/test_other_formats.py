"""Volumes of other tools: in the same place as ITK has them, or refused with the reason."""

import gzip
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK

from labkit.errors import ScanError
from labkit.scan import choose, discover, read_volume, thumbnail
from labkit.scan.geometry import Limits, geometry_of
from labkit.scan.other_formats import OtherVolume, format_of, other_volume, read_other
from labkit.scan.sources import File
from tests.scan.whole_scans import base

SHAPE = (4, 5, 6)
SPACING = (0.5, 0.75, 1.25)
ORIGIN = (-10.5, 20.25, 300.0)
TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
DIRECTIONS = {
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "oblique": TURN @ np.roll(TURN, 1, axis=(0, 1)),
    "sagittal": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "left-handed oblique": TURN @ np.diag([-1.0, 1.0, 1.0]),
}

Edit = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def _scan(kind: npt.DTypeLike = np.int16) -> npt.NDArray[Any]:
    """(k, j, i): air, and tissue whose every value is its own."""
    values = 3 * np.arange(np.prod(SHAPE)).reshape(SHAPE) - 40
    values[:, :2] = -1000 - np.arange(6)
    return values.astype(kind)


def _write(
    path: Path,
    values: npt.NDArray[Any] | None = None,
    direction: npt.NDArray[np.float64] | None = None,
    packed: bool = False,
) -> Path:
    image: Any = SimpleITK.GetImageFromArray(_scan() if values is None else values)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection((np.eye(3) if direction is None else direction).ravel().tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=packed)
    return path


def _read(path: Path) -> OtherVolume:
    return other_volume(File(path))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_voxel_lies_where_itk_has_it(
    tmp_path: Path, direction: str, end: str, packed: bool
) -> None:
    path = _write(tmp_path / f"scan{end}", direction=DIRECTIONS[direction], packed=packed)
    other = _read(path)
    assert other.refusal is None
    volume = read_other(other)
    assert np.linalg.det(volume.direction) == pytest.approx(1)
    itk: Any = SimpleITK.ReadImage(str(path))
    for index in np.ndindex(SHAPE[::-1]):
        place = volume.to_ijk([itk.TransformIndexToPhysicalPoint(index)])[0]
        i, j, k = np.rint(place).astype(int)
        assert place == pytest.approx([i, j, k], abs=1e-4)
        assert volume.voxels[k, j, i] == itk[index]
    assert volume.unit == "HU"
    for image, k in zip(other.images(), range(SHAPE[0]), strict=True):
        assert image.position_lps_mm == pytest.approx(
            itk.TransformIndexToPhysicalPoint((0, 0, k)), abs=1e-4
        )
    geometry = geometry_of(other.images(), Limits())
    assert geometry.refusal is None
    assert geometry.spacing_mm == pytest.approx(SPACING)
    first = other.images()[geometry.order[0]]
    assert volume.origin_lps_mm == pytest.approx(first.position_lps_mm)


@pytest.mark.parametrize("end", [".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("kind", ["i2", "i4", "f4", "f8"])
def test_every_type_of_value_comes_out_the_same(tmp_path: Path, kind: str, end: str) -> None:
    volume = read_other(_read(_write(tmp_path / f"scan{end}", _scan(kind))))
    assert (volume.voxels == _scan()).all()


@pytest.mark.parametrize("code", [(1, 0), (0, 1), (1, 1)])
def test_qform_and_sform_say_the_same(tmp_path: Path, code: tuple[int, int]) -> None:
    path = _write(tmp_path / "scan.nii", direction=DIRECTIONS["oblique"])
    _edit(path, _at(252, "<2h", *code))
    volume = read_other(_read(path))
    assert volume.direction == pytest.approx(DIRECTIONS["oblique"], abs=1e-6)
    assert volume.origin_lps_mm == pytest.approx(ORIGIN)


def test_big_endian_nifti_2_with_a_slope(tmp_path: Path) -> None:
    header = bytearray(544)
    struct.pack_into(">i8s2h", header, 0, 540, b"n+2\0\r\n\x1a\n", 4, 16)
    struct.pack_into(">8q", header, 16, 3, 6, 5, 4, 1, 1, 1, 1)
    struct.pack_into(">8d", header, 104, 1, *SPACING, 1, 1, 1, 1)
    struct.pack_into(">q2d", header, 168, 544, 0.5, -10)
    struct.pack_into(">2i", header, 344, 0, 1)
    struct.pack_into(">12d", header, 400, -0.5, 0, 0, 9, 0, -0.75, 0, -8, 0, 0, 1.25, 7)
    struct.pack_into(">i", header, 500, 2)
    path = tmp_path / "scan.nii"
    path.write_bytes(bytes(header) + (2 * _scan() + 20).astype(">i2").tobytes())
    volume = read_other(_read(path))
    assert (volume.voxels == _scan()).all()
    assert volume.direction == pytest.approx(np.eye(3))
    assert volume.origin_lps_mm.tolist() == [-9, 8, 7]


@pytest.mark.parametrize("space", ["right-anterior-superior", "RAS", "left-anterior-superior"])
def test_nrrd_in_another_space_lies_where_itk_has_it(tmp_path: Path, space: str) -> None:
    path = _write(tmp_path / "scan.nrrd", direction=DIRECTIONS["oblique"])
    _edit(path, _text("left-posterior-superior", space))
    other = _read(path)
    itk: Any = SimpleITK.ReadImage(str(path))
    for k, image in enumerate(other.images()):
        expected = itk.TransformIndexToPhysicalPoint((0, 0, k))
        assert image.position_lps_mm == pytest.approx(expected)
    assert other.left_handed == (space == "left-anterior-superior")


def _at(offset: int, layout: str, *values: float) -> Edit:
    size = struct.calcsize(layout)
    return lambda old: old[:offset] + struct.pack(layout, *values) + old[offset + size :]


def _text(old: str, new: str) -> Edit:
    def edit(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode(), 1)

    return edit


def _edit(path: Path, edit: Edit) -> None:
    path.write_bytes(edit(path.read_bytes()))


NIFTI: dict[str, tuple[Edit, str]] = {
    "both codes 0": (_at(252, "<2h", 0, 0), "orientation unknown"),
    "in a template": (_at(252, "<2h", 0, 4), "placed in a template"),
    "sform moved": (_at(292, "<f", 25.0), "qform and sform that place the image differently"),
    "sform mirrored": (_at(280, "<f", 0.5), "qform and sform that place the image differently"),
    "sform sheared": (
        lambda old: _at(304, "<f", 0.4)(_at(252, "<2h", 0, 1)(old)),
        "not at right angles",
    ),
    "other sizes": (
        lambda old: _at(320, "<f", 2.5)(_at(252, "<2h", 0, 1)(old)),
        "sform and pixdim",
    ),
    "negative sizes": (
        lambda old: _at(80, "<f", -0.5)(_at(252, "<2h", 1, 0)(old)),
        "a negative size",
    ),
    "no rotation": (_at(256, "<f", 3.0), "a qform that is no rotation"),
    "no number": (_at(280, "<f", np.nan), "not a number"),
    "metres": (_at(123, "<B", 1), "another unit"),
    "four axes": (_at(40, "<8h", 4, 6, 5, 2, 2, 1, 1, 1), "4 axes"),
    "two axes": (_at(40, "<8h", 2, 6, 20, 1, 1, 1, 1, 1), "three axes"),
    "two images": (_at(40, "<8h", 3, 6, 10, 2, 1, 1, 1, 1), "only 2 images"),
    "negative": (_at(40, "<8h", 3, -6, 5, 4, 1, 1, 1, 1), "three axes"),
    "huge": (_at(40, "<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1), "voxels, more than"),
    "too large": (_at(40, "<8h", 3, 600, 500, 400, 1, 1, 1, 1), "cut short"),
    "too small": (_at(40, "<8h", 3, 6, 5, 3, 1, 1, 1, 1), "more values than"),
    "colour": (_at(70, "<2h", 128, 24), "colour"),
    "labels": (_at(68, "<h", 1002), "labels"),
    "slope": (_at(112, "<f", np.inf), "slope"),
    "slope too large": (_at(112, "<f", 100.0), "more than 16 bits"),
    "offset": (_at(108, "<f", 3e38), "begin nowhere"),
    "pair of files": (_at(344, "<4s", b"ni1\0"), "a pair of files"),  # type: ignore[arg-type]
    "cut": (lambda old: old[:-1], "cut short"),
    "cut in the header": (lambda old: old[:200], "no NIfTI header"),
    "empty": (lambda _: b"", "no NIfTI header"),
}

NRRD: dict[str, tuple[Edit, str]] = {
    "no space": (_text("space: left-posterior-superior", "space dimension: 3"), "orientation"),
    "scanner space": (_text("left-posterior-superior", "scanner-xyz"), "orientation"),
    "no directions": (_text("space directions", "#"), "no space directions"),
    "no origin": (_text("space origin", "#"), "no space origin"),
    "sheared": (_text("(0,0.75,0)", "(0.3,0.75,0)"), "not at right angles"),
    "vectors": (_text("domain domain domain", "vector domain domain"), "vectors"),
    "micrometres": (_text("kinds:", 'space units: "um" "um" "um"\nkinds:'), "another unit"),
    "bzip2": (_text("encoding: raw", "encoding: bzip2"), "raw or gzip"),
    "skipped": (_text("encoding: raw", "encoding: raw\nbyte skip: 4"), "right after the header"),
    "four axes": (_text("sizes: 6 5 4", "sizes: 6 5 2 2"), "another dimension"),
    "elsewhere": (_text("encoding:", "data file: ../other.raw\nencoding:"), "another folder"),
    "absolute": (_text("encoding:", "data file: /etc/hostname\nencoding:"), "another folder"),
    "list": (_text("encoding:", "data file: LIST\nencoding:"), "several files"),
    "pattern": (_text("encoding:", "data file: I%d.raw 1 9 1\nencoding:"), "several files"),
    "not there": (_text("encoding:", "data file: other.raw\nencoding:"), "not beside it"),
    "3D Slicer segments": (_text("encoding:", "Segment0_ID:=bone\nencoding:"), "labels"),
    "byte order": (_text("endian: little\n", ""), "byte order"),
    "type": (_text("type: short", "type: block"), "no grey value"),
    "no header": (_text("NRRD0004", "nrrd0004"), "no NRRD header"),
}

META: dict[str, tuple[Edit, str]] = {
    "no matrix": (_text("TransformMatrix", "Comment"), "no TransformMatrix"),
    "no spacing": (_text("ElementSpacing", "Comment"), "no TransformMatrix, ElementSpacing"),
    "no offset": (_text("Offset", "Comment"), "its place is unknown"),
    "flat": (_text("ElementSpacing = 0.5", "ElementSpacing = 0"), "voxels of 0 ×"),
    "word": (_text("ElementSpacing = 0.5", "ElementSpacing = a"), "not a number"),
    "no number": (_text("Offset = -10.5", "Offset = nan"), "not a number"),
    "sheared": (_text("TransformMatrix = 1 0", "TransformMatrix = 1 0.3"), "right angles"),
    "other axes": (_text("Orientation = RAI", "Orientation = LPS"), "a matrix that says RAI"),
    "colour": (_text("ElementType", "ElementNumberOfChannels = 3\nElementType"), "Channels"),
    "text": (_text("BinaryData = True", "BinaryData = False"), "BinaryData"),
    "elsewhere": (_text("= LOCAL", "= ../other.raw"), "another folder"),
    "absolute": (_text("= LOCAL", "= C:\\other.raw"), "another folder"),
    "list": (_text("= LOCAL", "= LIST"), "several files"),
    "twice": (_text("NDims", "Offset = 1 2 3\nNDims"), "cannot be read"),
    "four axes": (_text("DimSize = 6 5 4", "DimSize = 6 5 2 2"), "4 axes"),
    "no volume": (_text("DimSize = 6 5 4", "DimSize = 1e9 5 4"), "three axes"),
}


@pytest.mark.parametrize(
    ("end", "name"),
    [
        *((".nii", name) for name in NIFTI),
        *((".nrrd", name) for name in NRRD),
        *((".mha", name) for name in META),
    ],
)
def test_an_unfit_header_is_refused_with_its_reason(tmp_path: Path, end: str, name: str) -> None:
    edit, reason = {".nii": NIFTI, ".nrrd": NRRD, ".mha": META}[end][name]
    path = _write(tmp_path / f"DOE_JOHN{end}")
    _edit(path, edit)
    other = _read(path)
    assert other.refusal is not None
    assert reason in other.refusal
    assert "DOE" not in other.refusal
    assert other.images() == []
    with pytest.raises(ValueError, match="refused"):
        read_other(other)


def _labels() -> npt.NDArray[np.uint8]:
    return np.repeat(np.arange(4, dtype=np.uint8), 5)[:, None, None] * np.ones(SHAPE[1:], np.uint8)


VALUES: dict[str, tuple[npt.NDArray[Any], str]] = {
    "a mask": ((_scan() > 0).astype(np.uint8), "labels"),
    "labels": (_labels(), "labels"),
    "one value": (np.zeros(SHAPE, np.int16), "one grey value everywhere"),
    "no numbers": (np.where(_scan() > 0, np.nan, _scan()), "no numbers"),
    "32 bits": (_scan("i4") * 100, "more than 16 bits"),
    "probabilities": (np.linspace(0, 1, 120).reshape(SHAPE), "no whole numbers"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_that_are_no_grey_values_are_refused(tmp_path: Path, name: str) -> None:
    values, reason = VALUES[name]
    other = _read(_write(tmp_path / "scan.nrrd", values))
    assert reason in (other.refusal or "")


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    other = _read(_write(tmp_path / "ct.mha", _scan("f4") + np.float32(0.25)))
    said = " ".join(other.findings)
    assert "a guess" in said
    assert "rounded to whole numbers" in said
    assert "kernel, slice thickness and frame of reference are unknown" in said
    mr = _read(_write(tmp_path / "mr.mha", np.abs(_scan()).astype(np.uint16)))
    assert mr.unit == "arbitrary"
    assert "no known unit" in " ".join(mr.findings)


def test_the_frame_of_reference_is_the_content(tmp_path: Path) -> None:
    one, two = (_write(tmp_path / f"{n}.mha") for n in (1, 2))
    moved = _write(tmp_path / "moved.mha", _scan() + np.int16(1))
    frames = [read_other(_read(path)).frame_of_reference_uid for path in (one, two, moved)]
    assert frames[0] == frames[1] != frames[2]
    assert frames[0].startswith("2.25.")


@pytest.mark.parametrize("end", [".nii.gz", ".nrrd", ".mha"])
def test_no_flipped_bit_of_packed_values_goes_unseen(tmp_path: Path, end: str) -> None:
    path = _write(tmp_path / f"scan{end}", packed=True)
    whole = path.read_bytes()
    expected = read_other(_read(path)).voxels
    for place in range(len(whole) - 60, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        other = _read(path)
        assert other.refusal or (read_other(other).voxels == expected).all()


def test_a_header_leads_to_no_link(tmp_path: Path) -> None:
    path = _write(tmp_path / "scan.mhd")
    values = path.with_suffix(".raw").rename(tmp_path / "elsewhere")
    path.with_suffix(".raw").symlink_to(values)
    assert "not beside it" in (_read(path).refusal or "")


def test_a_file_that_changes_after_the_table_is_not_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "scan.mha")
    other = _read(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ScanError, match="cut short"):
        read_other(other)


def test_several_packed_parts_are_one_file(tmp_path: Path) -> None:
    path = _write(tmp_path / "scan.nii")
    content = path.read_bytes()
    parts = gzip.compress(content[:300]) + gzip.compress(content[300:])
    (tmp_path / "scan.nii.gz").write_bytes(parts)
    assert "no NIfTI header" in (_read(tmp_path / "scan.nii.gz").refusal or "")
    (tmp_path / "scan.nii.gz").write_bytes(
        gzip.compress(content[:400]) + gzip.compress(content[400:])
    )
    assert (read_other(_read(tmp_path / "scan.nii.gz")).voxels == _scan()).all()


def test_formats_are_known_by_their_names() -> None:
    names = ("a.nii", "a.NII.GZ", "a.nrrd", "a.seg.nrrd", "a.mhd", "a.dcm", "nii", "a.raw")
    told = ["NIfTI", "NIfTI", "NRRD", "NRRD", "MetaImage", None, None, None]
    assert [format_of(name) for name in names] == told


def test_a_volume_of_another_tool_is_a_row_of_the_table(tmp_path: Path) -> None:
    path = _write(tmp_path / "scan.nii.gz", direction=DIRECTIONS["left-handed"])
    _write(tmp_path / "labels.seg.nrrd", _labels())
    (tmp_path / "broken.mha").write_bytes(b"ObjectType = Image")
    (tmp_path / "notes.txt").write_text("text")
    found = discover(tmp_path)
    assert found.other_files == 1
    usable, *refused = found.series
    assert usable.row() | {"key": "", "reason": ""} == {
        "key": "",
        "part": "",
        "modality": "unknown (NIfTI)",
        "type": "",
        "images": 4,
        "matrix": "6 × 5",
        "plane": "axial",
        "spacing_mm": [0.5, 0.75, 1.25],
        "slice_thickness_mm": None,
        "kernel": "",
        "unit": "HU",
        "usable": True,
        "reason": "",
    }
    assert sorted(str(one.refusal)[:12] for one in refused) == ["labels, not ", "no MetaImage"]
    assert [one.row()["usable"] for one in refused] == [False, False]
    assert not thumbnail(refused[0]).any()
    volume = read_volume(choose(found.series))
    assert (volume.voxels == _scan()[::-1]).all()
    assert (read_volume(choose(discover(path).series)).voxels == volume.voxels).all()
    assert len(np.unique(thumbnail(usable))) > 5
    with pytest.raises(ScanError, match=r"labels|MetaImage"):
        choose(refused)


def test_a_series_of_dicom_comes_before_a_volume_of_another_tool(tmp_path: Path) -> None:
    for name, content in base("explicit").items():
        (tmp_path / name).write_bytes(content)
    _write(tmp_path / "scan.nii")
    assert [one.modality for one in discover(tmp_path).series] == ["CT", "unknown (NIfTI)"]


def test_a_zip_holds_volumes_but_no_headers_that_lead_elsewhere(tmp_path: Path) -> None:
    _write(tmp_path / "a.nii")
    _write(tmp_path / "b.mhd")
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for name in ("a.nii", "b.mhd", "b.raw"):
            archive.write(tmp_path / name, name)
    usable, refused = discover(tmp_path / "scan.zip").series
    assert (read_volume(usable).voxels == _scan()).all()
    assert "in a zip: unpack it" in str(refused.refusal)
