"""From a folder of DICOM files to one true volume, or a refusal with the reason.

Geometry comes from Image Position (Patient) and Image Orientation (Patient) only
(DICOM PS3.3 C.7.6.2.1.1): never from file names, instance numbers, Slice Location
or Spacing Between Slices.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage

from labkit.errors import ScanError
from labkit.home import pseudonym_uid
from labkit.volume import AIR_HU, Volume

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

MINIMUM_IMAGES = 3
POSITION_TOLERANCE_MM = 0.01
"""Image positions are written with two or three decimals; less than this is rounding."""


_HEADER = [
    "SOPClassUID",
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


@dataclass(frozen=True)
class Image:
    """One image of a series: where its file is and where it lies in the patient."""

    path: Path
    position_lps_mm: npt.NDArray[np.float64] | None
    orientation: npt.NDArray[np.float64] | None
    pixel_spacing_mm: tuple[float, float] | None
    shape: tuple[int, int]
    frame_of_reference_uid: str
    to_hounsfield: tuple[float, float] | None
    """Rescale slope and intercept."""


@dataclass
class Series:
    """The images that one series holds, and whether they can become a volume.

    ``refusal`` is None for a series that can; else the reason in the lab's words.
    """

    key: str
    modality: str
    image_type: tuple[str, ...]
    kernel: str
    slice_thickness_mm: float | None
    frame_of_reference_uid: str
    sop_class_uid: str
    samples_per_pixel: int
    frames: int
    laterality: str = ""
    images: list[Image] = field(default_factory=list)
    refusal: str | None = None
    spacing_mm: tuple[float, float, float] | None = None

    @property
    def plane(self) -> str:
        """axial, coronal, sagittal or oblique: which way the images lie."""
        orientation = self.images[0].orientation if self.images else None
        if orientation is None:
            return "unknown"
        normal = np.abs(np.cross(orientation[:3], orientation[3:]))
        names = ("sagittal", "coronal", "axial")
        return names[int(normal.argmax())] if normal.max() > np.cos(np.radians(30)) else "oblique"

    def row(self) -> dict[str, object]:
        """The series as a row of the table: nothing in it names the patient."""
        return {
            "key": self.key,
            "modality": self.modality,
            "type": "\\".join(self.image_type),
            "images": len(self.images),
            "matrix": f"{self.images[0].shape[1]} × {self.images[0].shape[0]}",
            "plane": self.plane,
            "spacing_mm": None
            if self.spacing_mm is None
            else [round(s, 4) for s in self.spacing_mm],
            "slice_thickness_mm": self.slice_thickness_mm,
            "kernel": self.kernel,
            "usable": self.refusal is None,
            "reason": self.refusal or "regular, one orientation, no gap",
        }


def discover(source: Path | None, progress: Progress | None = None) -> tuple[list[Series], int]:
    """All image series below a folder, each with its verdict, and the count of other files.

    Raises
    ------
    ScanError
        No such folder, an empty one, or one without any DICOM image.
    """
    if source is None or not source.is_dir():
        raise ScanError(
            "no source named" if source is None else "a file",
            expected="a folder of DICOM files",
            where="the scan's source",
            fix="name the folder with `--source`",
        )
    files = sorted(path for path in source.rglob("*") if path.is_file())
    found: dict[str, Series] = {}
    others = 0
    for number, path in enumerate(files, 1):
        header = _header(path)
        if header is None:
            others += 1
        else:
            try:
                _add(found, path, header)
            except (TypeError, ValueError) as error:  # a tag that must hold a number does not
                raise _cut_short(path) from error
        if progress:
            progress(number, len(files))
    if not found:
        raise ScanError(
            f"{len(files)} files, none of them a DICOM image" if files else "an empty folder",
            expected="the images of a CT series",
            where="the scan's source",
            fix="export the series again from the PACS as DICOM, uncompressed or lossless",
        )
    for series in found.values():
        series.refusal = _refusal(series)
    return sorted(found.values(), key=_preference), others


def choose(series: Iterable[Series], key: str = "") -> Series:
    """The series with this key, or the best one; a scout is never proposed.

    Best: usable, then the thinnest slices, then the most images.

    Raises
    ------
    ScanError
        No series has this key, or the one chosen cannot become a volume.
    """
    ordered = sorted(series, key=_preference)
    if key and key not in [one.key for one in ordered]:
        raise ScanError(
            f"no series with the key {key!r}",
            expected="one of " + ", ".join(one.key for one in ordered),
            where="parameter series",
            fix="take the key from the table of series",
        )
    chosen = next((one for one in ordered if one.key == key), ordered[0])
    if chosen.refusal:
        raise ScanError(
            f"series {chosen.key} of {len(chosen.images)} images: {chosen.refusal}",
            expected="parallel, evenly spaced CT images without a gap, a double or a tilt",
            where=f"the scan's source, {len(ordered)} series in all",
            fix="choose another series, or reconstruct this one again at the scanner",
        )
    return chosen


def read_volume(series: Series, progress: Progress | None = None) -> Volume:
    """The volume of a usable series: int16 HU, LPS mm, always right-handed.

    Raises
    ------
    ScanError
        An image that is cut short or whose compression cannot be decoded.
    """
    if series.refusal:
        raise ValueError(f"series {series.key} is refused: {series.refusal}")
    images = _sorted_along_normal(series)
    first = images[0]
    assert first.orientation is not None and first.position_lps_mm is not None
    assert series.spacing_mm is not None
    rows, columns = first.shape
    hu = np.empty((len(images), rows, columns), np.int16)
    for number, image in enumerate(images):
        hu[number] = _hounsfield(image, number + 1, len(images))
        if progress:
            progress(number + 1, len(images))
    i, j = first.orientation[:3], first.orientation[3:]
    return Volume(
        hu=hu,
        origin_lps_mm=first.position_lps_mm,
        spacing_mm=np.array(series.spacing_mm),
        direction=np.column_stack([i, j, np.cross(i, j)]),
        frame_of_reference_uid=pseudonym_uid(series.frame_of_reference_uid),
    )


def _header(path: Path) -> Dataset | None:
    """The header of a DICOM image, or None for any other file.

    A DICOM file that ends within its header raises: left out in silence it would
    be a slice that nobody misses when it lies at the end of the stack.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd tags are common and not what is judged here
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_HEADER)
    except InvalidDicomError:
        return None
    except Exception as error:  # a damaged header can make the parser raise anything
        raise _cut_short(path) from error
    if "Rows" in dataset and "SeriesInstanceUID" in dataset:
        return dataset
    if dataset.get("SOPClassUID") == CTImageStorage:
        raise _cut_short(path)
    return None


def _cut_short(path: Path) -> ScanError:
    return ScanError(
        f"a DICOM file of {path.stat().st_size} bytes that ends or breaks within its header",
        expected="whole files",
        where="the scan's source",
        fix="copy the folder again from the PACS or the disc",
    )


def _add(found: dict[str, Series], path: Path, header: Dataset) -> None:
    uid = str(header.SeriesInstanceUID)
    if uid not in found:
        kernel = header.get("ConvolutionKernel") or ""
        thickness = header.get("SliceThickness")
        kind = header.get("ImageType") or []
        found[uid] = Series(
            key=hashlib.sha256(pseudonym_uid(uid).encode()).hexdigest()[:6],
            modality=str(header.get("Modality", "")),
            image_type=(kind,) if isinstance(kind, str) else tuple(str(word) for word in kind),
            kernel=kernel if isinstance(kernel, str) else "/".join(kernel),
            slice_thickness_mm=None if thickness is None else float(thickness),
            frame_of_reference_uid=str(header.get("FrameOfReferenceUID", "")),
            sop_class_uid=str(header.get("SOPClassUID", "")),
            samples_per_pixel=int(header.get("SamplesPerPixel") or 1),
            frames=int(header.get("NumberOfFrames") or 1),
            laterality={"L": "left", "R": "right"}.get(str(header.get("Laterality", "")), ""),
        )
    rescale = _pair(_numbers_of([header.get("RescaleSlope"), header.get("RescaleIntercept")], 2))
    found[uid].images.append(
        Image(
            path=path,
            position_lps_mm=_numbers(header, "ImagePositionPatient", 3),
            orientation=_numbers(header, "ImageOrientationPatient", 6),
            pixel_spacing_mm=_pair(_numbers(header, "PixelSpacing", 2)),
            shape=(int(header.Rows), int(header.get("Columns") or 0)),
            frame_of_reference_uid=str(header.get("FrameOfReferenceUID", "")),
            to_hounsfield=rescale,
        )
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


def _preference(series: Series) -> tuple[bool, bool, float, int, str]:
    thickness = series.spacing_mm[2] if series.spacing_mm else np.inf
    scout = "LOCALIZER" in series.image_type
    return series.refusal is not None, scout, thickness, -len(series.images), series.key


def _refusal(series: Series) -> str | None:
    """Why a series cannot become a volume; sets its spacing when it can."""
    if "LOCALIZER" in series.image_type:
        return "a scout image, not a volume"
    if series.modality != "CT":
        return (
            f"modality {series.modality or 'unknown'}, not CT: grey values are no Hounsfield units"
        )
    if series.frames > 1 or series.sop_class_uid not in ("", CTImageStorage):
        return "not classic CT images (enhanced, multi-frame or derived objects)"
    if series.samples_per_pixel != 1:
        return "colour images"
    if len(series.images) < MINIMUM_IMAGES:
        return f"only {len(series.images)} images"
    return _uneven(series) or _irregular(series)


def _uneven(series: Series) -> str | None:
    for image in series.images:
        if image.position_lps_mm is None:
            return "an image without a readable Image Position (Patient)"
        if image.orientation is None:
            return "an image without a readable Image Orientation (Patient)"
        if image.pixel_spacing_mm is None or min(image.pixel_spacing_mm) <= 0:
            return "an image without a readable Pixel Spacing"
    if any(not image.to_hounsfield or not image.to_hounsfield[0] for image in series.images):
        return "an image without Rescale Slope and Intercept: grey values of unknown meaning"
    orientations = np.array([image.orientation for image in series.images], float)
    differing = {
        "matrix size": len({image.shape for image in series.images}) > 1,
        "pixel spacing": len({image.pixel_spacing_mm for image in series.images}) > 1,
        "frame of reference": len({image.frame_of_reference_uid for image in series.images}) > 1,
        "orientation": float(np.ptp(orientations, axis=0).max()) > 1e-4,
    }
    if any(differing.values()):
        return "images of different " + " and ".join(what for what in differing if differing[what])
    orientation = series.images[0].orientation
    assert orientation is not None
    i, j = orientation[:3], orientation[3:]
    if abs(i @ i - 1) > 2e-3 or abs(j @ j - 1) > 2e-3 or abs(i @ j) > 1e-3:
        return "an Image Orientation that is not two unit vectors at a right angle"
    return None


def _irregular(series: Series) -> str | None:
    images = _sorted_along_normal(series)
    first = images[0]
    assert first.orientation is not None
    positions = np.array([image.position_lps_mm for image in images])
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    steps = np.diff(positions @ normal)
    step = float(np.median(steps))
    slack = max(POSITION_TOLERANCE_MM, 0.01 * step)
    doubles = int((steps < slack).sum())
    if doubles:
        return f"{doubles} images lie where another one lies already (duplicates)"
    drift = np.diff(positions, axis=0) - np.outer(steps, normal)
    shear = float(np.linalg.norm(drift, axis=1).max())
    if shear > slack:
        angle = float(np.degrees(np.arctan2(np.linalg.norm(drift.sum(axis=0)), steps.sum())))
        gaps = _gaps(steps)
        also = f"; the gaps also vary, {gaps} mm" if np.ptp(steps) > slack else ""
        return f"the stack is sheared by {angle:.1f}° (gantry tilt){also}"
    if np.ptp(steps) > slack:
        multiples = steps / steps.min()
        if np.abs(multiples - np.rint(multiples)).max() < 0.01:
            missing = int(np.rint(multiples).sum()) - len(steps)
            return f"{missing} images are missing: gaps of {_gaps(steps)} mm"
        return f"the distance between images varies: {_gaps(steps)} mm"
    assert first.pixel_spacing_mm is not None
    row_spacing, column_spacing = first.pixel_spacing_mm
    series.spacing_mm = (column_spacing, row_spacing, float(steps.mean()))
    return None


def _gaps(steps: npt.NDArray[np.float64]) -> str:
    return ", ".join(f"{gap:g}" for gap in np.unique(steps.round(2))[:5])


def _sorted_along_normal(series: Series) -> list[Image]:
    orientation = series.images[0].orientation
    assert orientation is not None
    normal = np.cross(orientation[:3], orientation[3:])
    return sorted(series.images, key=lambda image: float(image.position_lps_mm @ normal))  # type: ignore[operator]


def _hounsfield(image: Image, number: int, total: int) -> npt.NDArray[np.int16]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(image.path)
            stored = dataset.pixel_array
        if stored.shape != image.shape:
            raise ValueError(f"{stored.shape[::-1]} pixels instead of {image.shape[::-1]}")
    except Exception as error:  # the decoders raise every kind, and all mean the same here
        raise ScanError(
            f"image {number} of {total} (in order along the patient) cannot be read: "
            f"{_first_sentence(error)}",
            expected="a whole file in a compression that can be decoded",
            where="the scan's source",
            fix="export the series again from the PACS; uncompressed or lossless",
        ) from error
    assert image.to_hounsfield is not None
    slope, intercept = image.to_hounsfield
    hu = np.rint(stored * slope + intercept)
    padding = dataset.get("PixelPaddingValue")
    if isinstance(padding, int):
        hu[stored == padding] = AIR_HU
    limits = np.iinfo(np.int16)
    return hu.clip(limits.min, limits.max).astype(np.int16)


def _first_sentence(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words.split(". ")[0][:160]
