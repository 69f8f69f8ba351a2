"""Where scans come from: folders, zips, discs, single files, and what lies beside them."""

import gc
import warnings
import zipfile
from pathlib import Path
from typing import IO

import pytest
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian

from labkit.errors import ScanError
from labkit.scan import Limits, choose, discover, read_volume, sources
from labkit.scan.sources import File, Kept
from tests.scan.made import IMAGES, ct_images, multiframe, only, truth_hu, voxels, write


def _disc(folder: Path, images: list[Dataset]) -> dict[str, Path]:
    """A disc with its directory; where each image lies, by SOP Instance UID."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's own temporary folder
        disc = FileSet()
        for image in images:
            disc.add(image)
        disc.write(folder)
        paths = {str(one.SOPInstanceUID): Path(one.path) for one in disc}
        del disc
        gc.collect()
    return paths


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def _zip(folder: Path, target: Path, prefix: str = "disc/") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.dcm")):
            archive.write(path, prefix + path.name)
    return target


def test_nested_folders_clutter_and_a_second_copy_make_no_difference(tmp_path: Path) -> None:
    images = ct_images()
    write(images[:4], tmp_path / "disc" / "a" / "b")
    write(images[4:], tmp_path / "disc" / "c")
    write(images[2:3], tmp_path / "disc" / "again")
    for clutter in (".DS_Store", "Thumbs.db", "__MACOSX/._1.dcm", ".hidden/1.dcm"):
        (tmp_path / "disc" / clutter).parent.mkdir(exist_ok=True)
        (tmp_path / "disc" / clutter).write_bytes(b"nothing")
    found = discover(tmp_path / "disc")
    assert found.other_files == 0
    assert (read_volume(choose(found.series)).voxels == truth_hu()).all()


def test_a_zip_is_read_as_its_folder_is(tmp_path: Path) -> None:
    folder = write(ct_images(), tmp_path / "ct")
    assert (voxels(_zip(folder, tmp_path / "ct.zip")) == truth_hu()).all()
    assert (voxels(_zip(folder, tmp_path / "up.zip", "../../up/")) == truth_hu()).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "ct.zip", "home", "up.zip"]


def test_a_zip_inside_is_said_and_not_opened(tmp_path: Path) -> None:
    folder = write(ct_images(), tmp_path / "ct")
    inner = _zip(folder, tmp_path / "inner.zip")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    with pytest.raises(ScanError, match="1 zip files inside were not opened"):
        discover(tmp_path / "outer.zip")
    inner.rename(folder / "inner.zip")
    assert "1 zip files" in discover(folder).notes[0]


def test_a_zip_that_cannot_be_trusted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _zip(write(ct_images(), tmp_path / "ct"), tmp_path / "a.zip").read_bytes()
    bad = tmp_path / "bad.zip"
    bad.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ScanError):
        discover(bad)
    bad.write_bytes(
        whole.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    )
    with pytest.raises(ScanError, match="an encrypted zip"):
        discover(bad)
    middle = whole.index(b"DISC".lower()) + 40
    bad.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    with pytest.raises(ScanError, match="damaged zip"):
        discover(bad)
    monkeypatch.setattr(sources, "BOMB_BYTES", 2**20)
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", bytes(2**21))
    with pytest.raises(ScanError, match="times its size"):
        discover(bad)


def test_a_disc_is_held_against_its_directory(tmp_path: Path) -> None:
    paths = _disc(tmp_path / "disc", ct_images())
    directory = tmp_path / "disc" / "DICOMDIR"
    assert (voxels(directory) == truth_hu()).all()
    assert discover(tmp_path / "disc").notes == ()

    paths[ct_images()[-1].SOPInstanceUID].unlink()
    found = discover(directory)
    assert f"lists {IMAGES} images, 1 of them are not here" in found.notes[0]
    with pytest.raises(ScanError, match="1 images that the disc's directory"):
        choose(found.series)
    asked = discover(directory, limits=Limits(interpolate_missing=True)).series
    assert "DICOMDIR" in choose(asked).findings[0]

    directory.write_bytes(directory.read_bytes()[:900])
    with pytest.raises(ScanError, match="DICOMDIR"):
        discover(tmp_path / "disc")


def test_one_multiframe_file_is_a_source(tmp_path: Path) -> None:
    multiframe().save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    assert (voxels(tmp_path / "ct.dcm") == truth_hu()).all()


@pytest.mark.parametrize("meta", [True, False])
def test_files_without_a_preamble_are_read(tmp_path: Path, meta: bool) -> None:
    folder = write(ct_images(), tmp_path / "ct")
    for path in folder.iterdir():
        content = path.read_bytes()
        end = 144 + int.from_bytes(content[140:144], "little")
        path.write_bytes(content[132 if meta else end :])
    assert (voxels(folder) == truth_hu()).all()


def test_what_holds_no_images_is_counted_and_said(tmp_path: Path) -> None:
    folder = write(ct_images(), tmp_path / "ct")
    report = Dataset()
    report.file_meta = ct_images()[0].file_meta
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.67", "1.2.3"
    report.SeriesInstanceUID, report.Modality = "1.2.4", "SR"
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.save_as(folder / "dose.dcm", enforce_file_format=True)
    (folder / "viewer.exe").write_bytes(b"MZ" + bytes(5000))
    found = discover(folder)
    assert found.other_files == 2
    assert found.notes == ("1 DICOM file without images (reports, plans, contours)",)
    assert len(choose(found.series).images) == IMAGES


def test_an_error_says_where_without_a_name(tmp_path: Path) -> None:
    folder = write(ct_images(), tmp_path / "DOE_JOHN")
    second = sorted(folder.iterdir())[1]
    second.write_bytes(second.read_bytes()[:400])
    with pytest.raises(ScanError, match="file 2 of 8 in the order of names") as caught:
        discover(folder)
    assert "DOE" not in str(caught.value)
    assert second.name not in str(caught.value)


def test_every_file_is_opened_once_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(ct_images(), tmp_path / "ct")
    opened: list[Path] = []
    really = File._open

    def counted(file: File) -> IO[bytes]:
        opened.append(file.path)
        return really(file)

    monkeypatch.setattr(File, "_open", counted)
    series = only(folder)
    kept = series.images[0].file.kept
    assert all(kept.content(image.file.number) for image in series.images)
    assert (read_volume(series).voxels == truth_hu()).all()
    assert sorted(opened) == sorted(folder.iterdir())
    assert not any(kept.content(image.file.number) for image in series.images)


def test_what_is_kept_stays_below_its_budget() -> None:
    kept = Kept(budget=10)
    kept.keep(1, b"12345678")
    kept.keep(2, b"1234")
    assert (kept.content(1), kept.content(2)) == (b"12345678", None)
    kept.release(1)
    kept.keep(2, b"1234")
    assert kept.content(2) == b"1234"


def test_more_than_the_budget_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "KEPT_BYTES", 0)
    monkeypatch.setattr(Kept.__init__, "__defaults__", (0,))
    folder = write(ct_images(), tmp_path / "ct")
    assert (voxels(folder) == truth_hu()).all()
    assert (voxels(_zip(folder, tmp_path / "ct.zip")) == truth_hu()).all()
