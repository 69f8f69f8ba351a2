"""A known body, and the images that a scanner makes of it.

The body is a ball with three small ones beside it, towards L, A and H, so that a turned
or mirrored import shows.  It is sampled where the images truly lie.
"""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from scipy.special import erf

from labkit.volume import Array

IMAGES, SIZE, STEP_MM, PIXEL_MM = 30, 64, 1.2, 0.7
EVEN_MM = np.linspace(-0.5, 0.5, IMAGES) * (IMAGES - 1) * STEP_MM
BALL_LPS_MM, RADIUS_MM = np.array([1.0, -1.0, 0.5]), 10.0
MARKS_LPS_MM = BALL_LPS_MM + 13.5 * np.array([[1, 0, 0], [0, -1, 0], [0, 0, 1]])
AIR_HU, BONE_HU = -1000, 1000
BLUR_MM = 0.6

AXIAL = (1, 0, 0, 0, 1, 0)
ROOT = "1.2.826.0.1.3680043.8.498.4"

Images = list[Dataset]


def body(points_lps_mm: Array) -> Array:
    """The grey values (HU) of the body at points (…, 3), mm, LPS."""
    hu = np.full(points_lps_mm.shape[:-1], float(AIR_HU))
    for centre, radius in ((BALL_LPS_MM, RADIUS_MM), *((mark, 2.0) for mark in MARKS_LPS_MM)):
        depth = radius - np.linalg.norm(points_lps_mm - centre, axis=-1)
        hu += (BONE_HU - AIR_HU) * 0.5 * (1 + erf(depth / (np.sqrt(2) * BLUR_MM)))
    return hu


def stack(
    along_mm: Array | None = None,
    orientation: tuple[float, ...] = AXIAL,
    drift_mm: Array | None = None,
    pixel_mm: tuple[float, float] = (PIXEL_MM, PIXEL_MM),
    tilt_deg: float = 0.0,
    position: str = "HFS",
) -> Images:
    """Images around the origin of LPS, along their normal, with a scanner's usual tags.

    Parameters
    ----------
    along_mm : (n,), mm: where the images lie along their normal.
    drift_mm : (n, 2), mm: how far each is off the normal, along i and j.
    pixel_mm : between rows and between columns, as DICOM has it.
    """
    along_mm = EVEN_MM if along_mm is None else along_mm
    drift_mm = np.zeros((along_mm.size, 2)) if drift_mm is None else drift_mm
    i, j = np.array(orientation[:3], float), np.array(orientation[3:], float)
    across, down = pixel_mm[1], pixel_mm[0]
    columns, rows = np.meshgrid(np.arange(SIZE) * across, np.arange(SIZE) * down)
    corner = -(SIZE - 1) / 2 * (across * i + down * j)
    made = []
    for k, (along, drift) in enumerate(zip(along_mm, drift_mm, strict=True)):
        middle = along * np.cross(i, j) + drift[0] * i + drift[1] * j
        first = corner + middle
        image = _image(k)
        image.ImagePositionPatient = [f"{value:.4f}" for value in first]
        image.ImageOrientationPatient = [f"{value:.6f}" for value in (*i, *j)]
        image.PixelSpacing = list(pixel_mm)
        image.PatientPosition = position
        image.PatientOrientation = [_letter(i), _letter(j)]
        image.ReconstructionDiameter = SIZE * max(pixel_mm)
        image.ReconstructionTargetCenterPatient = middle.tolist()
        image.GantryDetectorTilt = tilt_deg
        image.SliceThickness = STEP_MM
        image.SliceLocation = f"{along / np.cos(np.radians(tilt_deg)):.3f}"
        store(image, body(first + columns[..., None] * i + rows[..., None] * j))
        made.append(image)
    return made


def tilted(degrees: float, axis: int = 1, along_mm: Array | None = None) -> Images:
    """A stack whose images drift along i (axis 0) or j (axis 1)."""
    along_mm = EVEN_MM if along_mm is None else along_mm
    drift: Array = np.zeros((along_mm.size, 2))
    drift[:, axis] = along_mm * np.tan(np.radians(degrees))
    return stack(along_mm, drift_mm=drift, tilt_deg=abs(degrees))


def store(
    image: Dataset, hu: Array, slope: float = 1.0, intercept: float = -1024, signed: bool = False
) -> None:
    """Put grey values into an image, stored as the rescale has it."""
    image.RescaleSlope, image.RescaleIntercept = slope, intercept
    image.PixelRepresentation = int(signed)
    stored = np.rint((hu - intercept) / slope)
    image.PixelData = stored.astype(np.int16 if signed else np.uint16).tobytes()


def grey_of(image: Dataset) -> Array:
    """(rows, columns) HU of an image that `store` filled."""
    kind = np.int16 if image.PixelRepresentation else np.uint16
    stored = np.frombuffer(image.PixelData, kind).reshape(image.Rows, image.Columns)
    return np.asarray(stored * float(image.RescaleSlope) + float(image.RescaleIntercept))


def write(images: Images, folder: Path) -> Path:
    """One file an image, in names without an order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        name = f"{(number * 17) % 101:03d}{number}.dcm"
        image.save_as(folder / name, enforce_file_format=True)
    return folder


def _image(k: int) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}.3.{k + 1}")
    image.StudyInstanceUID, image.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
    image.FrameOfReferenceUID = f"{ROOT}.9"
    image.PatientName, image.PatientID = "DOE^JOHN", "4711"
    image.StudyDate, image.StudyTime, image.StudyID, image.SeriesNumber = "20260101", "12", "1", 1
    image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.ConvolutionKernel, image.InstanceNumber = "B", k + 1
    image.Rows, image.Columns, image.SamplesPerPixel = SIZE, SIZE, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    return image


def _letter(vector: Array) -> str:
    axis = int(np.abs(vector).argmax())
    return ("RL", "AP", "FH")[axis][int(vector[axis] > 0)]
