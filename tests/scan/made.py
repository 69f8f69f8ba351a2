"""Small series made here, every pixel value its own, so that any mix-up shows."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from labkit.scan import Series, choose, discover, read_volume

ROWS, COLUMNS, IMAGES = 5, 4, 8
SPACING, STEP = (0.7, 0.6), 1.25
UID = "1.2.826.0.1.3680043.8.498.77"


def stored(k: int) -> npt.NDArray[np.uint16]:
    """(ROWS, COLUMNS): the stored values of image ``k``."""
    return 100 * k + np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS)


def truth_hu() -> npt.NDArray[np.int64]:
    """(IMAGES, ROWS, COLUMNS): the grey values of the whole series."""
    return 2 * np.array([stored(k) for k in range(IMAGES)], np.int64) - 1000


def ct_images(series: str = UID, first: int = 0, **tags: Any) -> list[Dataset]:
    """An axial CT; ``tags`` are set in every image."""
    made = []
    for k in range(IMAGES):
        image = _object(CTImageStorage, "CT", series, first + k)
        image.PixelSpacing = list(SPACING)
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-10.0, 20.0, 100 + k * STEP]
        image.InstanceNumber = IMAGES - k  # the other way round: must not matter
        image.SpacingBetweenSlices = STEP
        image.RescaleSlope, image.RescaleIntercept = 2, -1000
        set_pixels(image, stored(k))
        for name, value in tags.items():
            setattr(image, name, value)
        made.append(image)
    return made


def mr_images(**tags: Any) -> list[Dataset]:
    """An axial MR without Rescale Slope and Intercept."""
    images = ct_images(Modality="MR", SOPClassUID=MRImageStorage, **tags)
    for image in images:
        image.file_meta.MediaStorageSOPClassUID = MRImageStorage
        del image.RescaleSlope, image.RescaleIntercept
    return images


def multiframe(kind: str = EnhancedCTImageStorage, modality: str = "CT") -> Dataset:
    """The same CT as one enhanced multi-frame object, its frames in no order."""
    one = _object(kind, modality, UID + ".9", 0)
    order = [(3 * k) % IMAGES for k in range(IMAGES)]
    measures, plane, values = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING), 1.5
    plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 2, -1000, "HU"
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    shared.PixelValueTransformationSequence = Sequence([values])
    one.SharedFunctionalGroupsSequence = Sequence([shared])
    one.PerFrameFunctionalGroupsSequence = Sequence()
    for k in order:
        position, content, frame = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [-10.0, 20.0, 100 + k * STEP]
        content.StackID, content.InStackPositionNumber = "1", k + 1
        frame.PlanePositionSequence = Sequence([position])
        frame.FrameContentSequence = Sequence([content])
        one.PerFrameFunctionalGroupsSequence.append(frame)
    one.NumberOfFrames = IMAGES
    set_pixels(one, np.array([stored(k) for k in order]))
    return one


def set_pixels(image: Dataset, values: npt.NDArray[Any], bits: int = 16) -> None:
    """Set pixels of 16 bits allocated and ``bits`` stored; signed by the type of ``values``."""
    image.PixelRepresentation = int(values.dtype.kind == "i")
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, bits, bits - 1
    image.Rows, image.Columns = values.shape[-2:]
    image.PixelData = values.tobytes()


def write(images: list[Dataset], folder: Path) -> Path:
    """A folder with the images; the names of the files have no order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        name = f"{(number * 5) % 17:02d}{number}.dcm"
        image.save_as(folder / name, enforce_file_format=True)
    return folder


def only(source: Path) -> Series:
    """The only series of a source."""
    (series,) = discover(source).series
    return series


def voxels(source: Path) -> npt.NDArray[np.int16]:
    """(k, j, i): the volume of the best series of a source."""
    return read_volume(choose(discover(source).series)).voxels


def _object(kind: str, modality: str, series: str, number: int) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = kind
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.SOPInstanceUID = generate_uid(entropy_srcs=["labkit", series, str(number)])
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.StudyInstanceUID = f"{UID}.1"
    image.SeriesInstanceUID = series
    image.FrameOfReferenceUID = f"{UID}.2"
    image.PatientName, image.PatientID = "DOE^JOHN", "4711"
    image.StudyID, image.StudyDate, image.StudyTime = "1", "20200101", "101010"
    image.SeriesNumber, image.InstanceNumber = 1, number + 1
    image.Modality, image.ImageType = modality, ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    return image
