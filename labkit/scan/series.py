"""One series of a source: its images, what is known of it, and its verdict."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from labkit.errors import ScanError
from labkit.home import pseudonym_uid
from labkit.scan.contradictions import CrossCheck, cross_checks
from labkit.scan.facts import SeriesFacts
from labkit.scan.geometry import Geometry, Limits, geometry_of
from labkit.scan.image import Image
from labkit.scan.other_formats import OtherVolume
from labkit.scan.parts import MINIMUM_IMAGES, Part, is_scout
from labkit.scan.planes import counted
from labkit.scan.units import meaning_of
from labkit.volume import Unit

LARGEST_VOLUME_BYTES = 8 * 2**30
"""A volume beyond this is refused before memory is asked for."""

LOSSY = "the images were once compressed with loss: thin edges and grey values are not as scanned"


@dataclass
class Series:
    """The images of one stack, and whether they can become a volume.

    Parameters
    ----------
    key : names it in the table and in the parameter; tells nothing of the patient.
    facts : what the header of its first image says.
    images : in the order of the source.
    part : which stack of its series it is and what tells them apart; empty for the only one.
    unit : of the grey values.
    findings : what was found besides the geometry, a sentence each; `read_volume` may add one.
    cross_checks : tags held against the geometry.
    geometry : of the images.
    refusal : why it cannot become a volume, in the lab's words; None if it can.
    other : where its images are in a volume that another tool wrote; None for DICOM.
    """

    key: str
    facts: SeriesFacts
    images: list[Image] = field(default_factory=list)
    part: str = ""
    unit: Unit = "HU"
    findings: tuple[str, ...] = ()
    cross_checks: tuple[CrossCheck, ...] = ()
    geometry: Geometry = field(default_factory=Geometry)
    refusal: str | None = None
    other: OtherVolume | None = None

    @property
    def modality(self) -> str:
        """As the header says: CT, MR or another."""
        return self.facts.modality

    @property
    def image_type(self) -> tuple[str, ...]:
        """The words of Image Type."""
        return self.facts.image_type

    @property
    def kernel(self) -> str:
        """The reconstruction kernel, in its maker's words."""
        return self.facts.kernel

    @property
    def slice_thickness_mm(self) -> float | None:
        """How thick the images are, mm: not how far apart."""
        return self.facts.slice_thickness_mm

    @property
    def frame_of_reference_uid(self) -> str:
        """As the file has it: replace it before it leaves the import."""
        return self.facts.frame_of_reference_uid

    @property
    def sop_class_uid(self) -> str:
        """What kind of object the images are."""
        return self.facts.sop_class_uid

    @property
    def laterality(self) -> str:
        """Left, right or empty."""
        return self.facts.laterality

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Along i, j, k of the volume that would come out; None when refused."""
        return None if self.refusal else self.geometry.spacing_mm

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
        rows, columns = self.images[0].shape if self.images else ("–", "–")
        corrected = "; ".join((*self.geometry.corrections, *self.findings))
        return {
            "key": self.key,
            "part": self.part,
            "modality": self.modality,
            "type": "\\".join(self.image_type),
            "images": len(self.images),
            "matrix": f"{columns} × {rows}",
            "plane": self.plane,
            "spacing_mm": None
            if self.spacing_mm is None
            else [round(s, 4) for s in self.spacing_mm],
            "slice_thickness_mm": self.slice_thickness_mm,
            "kernel": self.kernel,
            "unit": self.unit,
            "usable": self.refusal is None,
            "reason": self.refusal or corrected or "regular, one orientation, no gap",
        }


def judged(
    name: str,
    part: Part,
    number: int,
    parts: int,
    facts: SeriesFacts,
    missing: int,
    limits: Limits,
) -> Series:
    """A stack of a series with its verdict.

    Parameters
    ----------
    name : of the series, as `labkit.scan.facts.series_of` has it.
    part, number, parts : the images; which stack it is, from 1, of how many.
    facts : of its first image.
    missing : images of the series that the disc's directory lists and that are not there.
    limits : what the lab lets the import correct.
    """
    key = hashlib.sha256(pseudonym_uid(name).encode()).hexdigest()[:6]
    series = Series(
        key=f"{key}-{number}" if parts > 1 else key,
        facts=facts,
        images=list(part.images),
        part=f"part {number} of {parts}, by {' and '.join(part.by)}" if parts > 1 else "",
        findings=part.findings,
    )
    series.refusal = _refusal(series, missing, limits)
    return series


def judged_other(other: OtherVolume, limits: Limits) -> Series:
    """A volume that another tool wrote, with its verdict."""
    images = other.images()
    geometry = geometry_of(images, limits) if images else Geometry()
    return Series(
        key=other.digest[:6],
        facts=SeriesFacts(
            modality=f"unknown ({other.format})", frame_of_reference_uid=other.digest
        ),
        images=images,
        unit=other.unit,
        findings=other.findings,
        geometry=geometry,
        refusal=other.refusal or geometry.refusal,
        other=other,
    )


def choose(series: Iterable[Series], key: str = "") -> Series:
    """The series with this key, or the best one; a scout is never proposed.

    Best: usable, then the thinnest slices, then the most images.

    Raises
    ------
    ScanError
        No series has this key, the one chosen cannot become a volume, or none is named
        and they are of several patients.
    """
    ordered = sorted(series, key=preference)
    if not key and len(patients(ordered)) > 1:
        raise ScanError(
            f"series of {len(patients(ordered))} patients",
            expected="the key of the series to take, or a source with one patient only",
            where="parameter series",
            fix="take the key from the table of series, and look whose scan it is; or leave "
            "the other patients' images out",
        )
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
            f"series {chosen.key} of {counted(len(chosen.images), 'image')}: {chosen.refusal}",
            expected="parallel CT or MR images that make one true volume",
            where=f"the scan's source, {len(ordered)} series in all",
            fix="choose another series, or reconstruct this one again at the scanner",
        )
    return chosen


def patients(series: Iterable[Series]) -> set[str]:
    """Whose the series are, as this lab's pseudonyms; none where number and name are empty."""
    return {one.facts.patient for one in series} - {""}


def preference(series: Series) -> tuple[bool, bool, bool, float, int, str]:
    """What series are sorted by: the smallest is the best; DICOM says more than the others."""
    thickness = series.spacing_mm[2] if series.spacing_mm else np.inf
    scout = "LOCALIZER" in series.image_type
    refused, other = series.refusal is not None, series.other is not None
    return refused, scout, other, thickness, -len(series.images), series.key


def _refusal(series: Series, missing: int, limits: Limits) -> str | None:
    """Why a series cannot become a volume; sets unit, geometry and findings when it can."""
    images = series.images
    if is_scout(images[0]):
        return "a scout image, not a volume"
    meaning = meaning_of(series.facts, images)
    series.unit = meaning.unit
    if meaning.refusal and not series.facts.sop_class_uid:
        return meaning.refusal
    problems = [image.problem for image in images if image.problem]
    if problems:
        return (
            problems[0]
            if len(problems) == len(images)
            else (f"{len(problems)} of {len(images)} images: {problems[0]}")
        )
    if meaning.refusal:
        return meaning.refusal
    if len(images) < MINIMUM_IMAGES:
        return f"only {counted(len(images), 'image')}"
    if 2 * len(images) * images[0].shape[0] * images[0].shape[1] > LARGEST_VOLUME_BYTES:
        return f"more than {LARGEST_VOLUME_BYTES / 2**30:g} GiB"
    series.geometry = geometry_of(images, limits)
    if series.geometry.refusal:
        return series.geometry.refusal
    incomplete = f"{missing} images that the disc's directory (DICOMDIR) lists are not here"
    if missing and not limits.interpolate_missing:
        return incomplete
    series.cross_checks = cross_checks(series.facts, images, series.geometry)
    said = [check.says for check in series.cross_checks if check.outcome == "action"]
    loss = (LOSSY,) if series.facts.lossy else ()
    series.findings += (*loss, *meaning.findings, *([incomplete] if missing else []), *said)
    return next((c.says for c in series.cross_checks if c.outcome == "refuse"), None)
