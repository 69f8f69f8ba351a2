"""The series that a source holds, each with its verdict."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from labkit.errors import ScanError
from labkit.home import pseudonym_uid
from labkit.scan.geometry import Geometry, Limits, geometry_of
from labkit.scan.headers import cut_short, header_of, images_of
from labkit.scan.image import Image
from labkit.scan.sources import files_of

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

MINIMUM_IMAGES = 3


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
    geometry: Geometry = field(default_factory=Geometry)

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Along i, j, k of the volume that would come out; None when refused."""
        return self.geometry.spacing_mm

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


@dataclass(frozen=True)
class Discovery:
    """What a source holds.

    Parameters
    ----------
    series : the best first.
    other_files : how many files are no images.
    notes : what a person should know of the source as a whole, a sentence each.
    """

    series: list[Series]
    other_files: int
    notes: tuple[str, ...] = ()


def discover(
    source: Path | None, progress: Progress | None = None, limits: Limits | None = None
) -> Discovery:
    """All image series of a source, each with its verdict.

    Raises
    ------
    ScanError
        No such folder, an empty one, or one without any DICOM image.
    """
    files = files_of(source)
    found: dict[str, Series] = {}
    others = 0
    for number, file in enumerate(files, 1):
        header = header_of(file)
        if header is None:
            others += 1
        else:
            try:
                one = _series_of(found, header)
                one.images += images_of(file, header)
            except (TypeError, ValueError) as error:  # a tag that must hold a number does not
                raise cut_short(file) from error
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
        series.refusal = _refusal(series, limits or Limits())
    return Discovery(sorted(found.values(), key=_preference), others)


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


def _series_of(found: dict[str, Series], header: Dataset) -> Series:
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
    return found[uid]


def _preference(series: Series) -> tuple[bool, bool, float, int, str]:
    thickness = series.spacing_mm[2] if series.spacing_mm else np.inf
    scout = "LOCALIZER" in series.image_type
    return series.refusal is not None, scout, thickness, -len(series.images), series.key


def _refusal(series: Series, limits: Limits) -> str | None:
    """Why a series cannot become a volume; sets its geometry when it can."""
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
    series.geometry = geometry_of(series.images, limits)
    if series.geometry.refusal:
        return series.geometry.refusal
    if any(not image.rescale or not image.rescale[0] for image in series.images):
        return "an image without Rescale Slope and Intercept: grey values of unknown meaning"
    return None
