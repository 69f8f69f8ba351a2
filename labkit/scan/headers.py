"""What the header of a DICOM file tells of its images."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage

from labkit.errors import ScanError
from labkit.scan.image import Image
from labkit.scan.sources import File

_HEADER = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "ConvolutionKernel",
    "NumberOfFrames",
    "SamplesPerPixel",
    "RescaleSlope",
    "RescaleIntercept",
    "Laterality",
]


def header_of(file: File) -> Dataset | None:
    """The header of a DICOM image, or None for any other file.

    A DICOM file that ends within its header raises: left out in silence it would
    be a slice that nobody misses when it lies at the end of the stack.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd tags are common and not what is judged here
            dataset = pydicom.dcmread(file.path, stop_before_pixels=True, specific_tags=_HEADER)
    except InvalidDicomError:
        return None
    except Exception as error:  # a damaged header can make the parser raise anything
        raise cut_short(file) from error
    if "Rows" in dataset and "SeriesInstanceUID" in dataset:
        return dataset
    if dataset.get("SOPClassUID") == CTImageStorage:
        raise cut_short(file)
    return None


def images_of(file: File, header: Dataset) -> list[Image]:
    """The images that a file holds."""
    rescale = _pair(_numbers_of([header.get("RescaleSlope"), header.get("RescaleIntercept")], 2))
    return [
        Image(
            file=file,
            frame=0,
            sop_instance_uid=str(header.get("SOPInstanceUID", "")),
            position_lps_mm=_numbers(header, "ImagePositionPatient", 3),
            orientation=_numbers(header, "ImageOrientationPatient", 6),
            pixel_spacing_mm=_pair(_numbers(header, "PixelSpacing", 2)),
            shape=(int(header.Rows), int(header.get("Columns") or 0)),
            frame_of_reference_uid=str(header.get("FrameOfReferenceUID", "")),
            rescale=rescale,
        )
    ]


def cut_short(file: File) -> ScanError:
    """The error for a file whose header cannot be read to its end."""
    return ScanError(
        f"a DICOM file of {file.path.stat().st_size} bytes that ends or breaks within its header",
        expected="whole files",
        where="the scan's source",
        fix="copy the folder again from the PACS or the disc",
    )


def _numbers(header: Dataset, name: str, count: int) -> npt.NDArray[np.float64] | None:
    return _numbers_of(header.get(name) or [], count)


def _numbers_of(values: Iterable[Any], count: int) -> npt.NDArray[np.float64] | None:
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        return None
    return numbers if numbers.size == count and np.isfinite(numbers).all() else None


def _pair(numbers: npt.NDArray[np.float64] | None) -> tuple[float, float] | None:
    return None if numbers is None else (float(numbers[0]), float(numbers[1]))
