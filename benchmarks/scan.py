"""How long a series takes from its folder to a volume, and how much memory; SimpleITK beside it.

``python benchmarks/scan.py [--images 300] [--repeats 3] [--json]``: prints a table in
Markdown.  A CT is synthesised (512 × 512, noise as a scanner's, the same on every run) and
written uncompressed, as JPEG-LS, JPEG 2000 and RLE.  Each reading is a process of its own;
labkit and SimpleITK take turns, and the fastest of each counts.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from labkit.home import pseudonym_uid
from labkit.scan import choose, discover, read_volume
from labkit.volume import Volume

SIZE = 512
ROOT = "1.2.826.0.1.3680043.8.498.80"
ENCODINGS = {
    "uncompressed": None,
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    "RLE": gdcm.TransferSyntax.RLELossless,
}
TIME_LIMIT, MEMORY_LIMIT = 0.7, 2.5
"""Pass: time against SimpleITK's (uncompressed), peak memory against the volume's."""


def slice_hu(k: int) -> npt.NDArray[np.int16]:
    """(512, 512) int16 HU: a body with a ring of bone and a rod that leans, and noise."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    radius = np.hypot(x, 1.3 * y)
    values = np.where(radius < 200, 40, -1000) + np.where(np.abs(radius - 180) < 8, 900, 0)
    values = values + np.where(np.hypot(x - 40, y + k / 10) < 30, 600, 0)
    noise = np.random.default_rng(k).normal(0, 20, values.shape)
    return (values + noise).clip(-1024, 3071).astype(np.int16)


def write_series(
    folder: Path, images: int, hu: Callable[[int], npt.NDArray[np.int16]] = slice_hu
) -> None:
    """A CT as uncompressed DICOM; the names of its files have no order.

    Voxel (i, j, k) lies at (−128 + i/2, −128 + j/2, 0.8 k) mm, LPS.
    """
    folder.mkdir()
    for k in range(images):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = UID(f"{ROOT}.{k + 10}")
        image.StudyInstanceUID, image.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
        image.FrameOfReferenceUID = f"{ROOT}.3"
        image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.ConvolutionKernel, image.KVP, image.SliceThickness = "B70s", 120, 1
        image.InstanceNumber = k + 1
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.Rows = image.Columns = SIZE
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation = 1
        image.PixelSpacing, image.ImageOrientationPatient = [0.5, 0.5], [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-128, -128, 0.8 * k]
        image.RescaleSlope, image.RescaleIntercept = 1, -1024
        image.PixelData = (hu(k) + 1024).tobytes()
        image.save_as(folder / f"{(k * 37) % images:04d}{k:04d}.dcm", enforce_file_format=True)


def write_encoded(source: Path, folder: Path, encoding: Any) -> None:
    """The same series in another transfer syntax."""
    folder.mkdir()
    for path in source.iterdir():
        reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(encoding))
        assert reader.Read()
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFile(reader.GetFile())
        writer.SetFileName(str(folder / path.name))
        writer.SetImage(change.GetOutput())
        assert writer.Write()


def read_with_labkit(folder: Path) -> Volume:
    """Discovery and reading."""
    return read_volume(choose(discover(folder).series))


def read_with_simpleitk(folder: Path) -> SimpleITK.Image:
    """GetGDCMSeriesFileNames and reading."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    image: SimpleITK.Image = reader.Execute()
    return image


READERS: dict[str, Callable[[Path], Any]] = {
    "labkit": read_with_labkit,
    "SimpleITK": read_with_simpleitk,
}


def measure(reader: str, folder: Path) -> dict[str, float]:
    """Seconds, MiB of memory beyond the start, and a check sum, in this process."""
    pseudonym_uid("1")  # makes the lab's secret
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before_mib = pages * resource.getpagesize() / 2**20
    began = time.perf_counter()
    image = READERS[reader](folder)
    seconds = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    children_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    voxels = image.voxels if isinstance(image, Volume) else SimpleITK.GetArrayViewFromImage(image)
    return {
        "seconds": seconds,
        "memory_mib": peak_mib - before_mib,
        "decoder_mib": children_mib,
        "volume_mib": 2 * voxels.size / 2**20,
        "sum": int(voxels.sum(dtype=np.int64)),
    }


def compare(folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """The fastest reading of each, each in a process of its own."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(repeats):
        for reader in READERS:
            words = [sys.executable, __file__, "--measure", reader, str(folder)]
            told = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
            if reader not in best or told["seconds"] < best[reader]["seconds"]:
                best[reader] = told
    assert best["labkit"]["sum"] == best["SimpleITK"]["sum"], "the volumes differ"
    return best


def main() -> None:
    """Write the series, read them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure[0], Path(asked.measure[1]))))
        return
    rows = {}
    with tempfile.TemporaryDirectory() as room:
        os.environ["LABKIT_HOME"] = str(Path(room) / "home")
        plain = Path(room) / "uncompressed"
        write_series(plain, asked.images)
        for name, encoding in ENCODINGS.items():
            folder = plain if encoding is None else Path(room) / name
            if encoding is not None:
                write_encoded(plain, folder, encoding)
            rows[name] = compare(folder, asked.repeats)
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{asked.images} images of {SIZE} × {SIZE}, {os.cpu_count()} processors\n")
    print("| encoding | labkit s | SimpleITK s | ratio | memory: labkit | SimpleITK |")
    print("|---|---|---|---|---|---|")
    for name, row in rows.items():
        ours, theirs = row["labkit"], row["SimpleITK"]
        print(
            f"| {name} | {ours['seconds']:.2f} | {theirs['seconds']:.2f} "
            f"| {ours['seconds'] / theirs['seconds']:.2f} "
            f"| {ours['memory_mib'] / ours['volume_mib']:.2f} × volume "
            f"| {theirs['memory_mib'] / theirs['volume_mib']:.2f} × volume |"
        )
    plain_row = rows["uncompressed"]
    ratio = plain_row["labkit"]["seconds"] / plain_row["SimpleITK"]["seconds"]
    memory = max(row["labkit"]["memory_mib"] / row["labkit"]["volume_mib"] for row in rows.values())
    print(f"\ntime, uncompressed: {ratio:.2f} of SimpleITK's, limit {TIME_LIMIT}")
    print(f"peak memory: {memory:.2f} × volume, limit {MEMORY_LIMIT}")


if __name__ == "__main__":
    main()
