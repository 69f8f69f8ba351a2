"""Volumes that other tools wrote (NIfTI, NRRD, MetaImage): true, or refused with the reason.

These formats say less than DICOM: neither what was scanned nor how, and some headers
leave left and right open.  Headers and values are judged here and not by ITK, which
fills in an identity where the orientation is missing and hands out wrong values of
damaged deflated files without a word (NRRD, MetaImage).  The tests compare with ITK.

::

    nifti, nrrd, metaimage ─► stored ─► values ─► Volume
    header                    place     grey values, unit
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.errors import ScanError
from labkit.home import pseudonym_uid
from labkit.scan.image import Image
from labkit.scan.other_formats.metaimage import metaimage_header
from labkit.scan.other_formats.nifti import nifti_header
from labkit.scan.other_formats.nrrd import nrrd_header
from labkit.scan.other_formats.stored import StoredVolume, UnfitError
from labkit.scan.other_formats.values import grey_plane, grey_voxels, judge
from labkit.scan.parts import MINIMUM_IMAGES
from labkit.scan.sources import File
from labkit.volume import Unit, Volume, spacing_of

_FORMATS = {
    ".nii": ("NIfTI", nifti_header),
    ".nii.gz": ("NIfTI", nifti_header),
    ".nrrd": ("NRRD", nrrd_header),
    ".nhdr": ("NRRD", nrrd_header),
    ".mha": ("MetaImage", metaimage_header),
    ".mhd": ("MetaImage", metaimage_header),
}


@dataclass(frozen=True)
class OtherVolume:
    """A volume of another tool, and whether it can be one of the patient.

    Parameters
    ----------
    format : NIfTI, NRRD or MetaImage.
    digest : SHA-256 of the header's file.
    stored : where its values are; None when refused.
    unit : of the grey values, guessed.
    findings : what was found or assumed, a sentence each.
    refusal : why no true volume comes of it; None if one does.
    """

    format: str
    digest: str
    stored: StoredVolume | None = None
    unit: Unit = "arbitrary"
    findings: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def left_handed(self) -> bool:
        """Whether the stored order of the images makes i, j, k a left hand."""
        return self.stored is not None and np.linalg.det(self.stored.ijk_to_lps[:3, :3]) < 0

    def images(self) -> list[Image]:
        """The images of the volume in stored order, as if each had a header of its own."""
        if self.stored is None:
            return []
        matrix = self.stored.ijk_to_lps
        spacing_mm = spacing_of(matrix)
        rows_and_columns = (matrix[:3, :2] / spacing_mm[:2]).T.ravel()
        return [
            Image(
                file=self.stored.values,
                frame=k,
                sop_instance_uid="",
                position_lps_mm=matrix[:3, 3] + k * matrix[:3, 2],
                orientation=rows_and_columns,
                pixel_spacing_mm=(float(spacing_mm[1]), float(spacing_mm[0])),
                shape=self.stored.shape[1:],
                frame_of_reference_uid=self.digest,
                rescale=self.stored.rescale,
            )
            for k in range(self.stored.shape[0])
        ]


def format_of(name: str) -> str | None:
    """NIfTI, NRRD or MetaImage by the end of a file's name, or None."""
    return next((kind for end, (kind, _) in _FORMATS.items() if name.lower().endswith(end)), None)


def other_volume(file: File) -> OtherVolume:
    """The volume in a file of which `format_of` knows the name, read to its end once."""
    name = file.name.lower()
    kind, header_of = next(told for end, told in _FORMATS.items() if name.endswith(end))
    content = file.read()
    digest = hashlib.sha256(content)
    try:
        stored = header_of(file, content)
        if stored.values is not file:
            digest.update(stored.values.read())
        if stored.shape[0] < MINIMUM_IMAGES:
            raise UnfitError(f"only {stored.shape[0]} images")
        greys = judge(stored)
    except UnfitError as reason:
        return OtherVolume(kind, digest.hexdigest(), refusal=str(reason))
    left_handed = np.linalg.det(stored.ijk_to_lps[:3, :3]) < 0
    return OtherVolume(
        kind,
        digest.hexdigest(),
        stored=stored,
        unit=greys.unit,
        findings=(
            f"a volume from {kind}: kernel, slice thickness and frame of reference are unknown",
            *stored.findings,
            *greys.findings,
            *(["stored as a left hand: the images are taken in reverse"] if left_handed else []),
        ),
    )


def other_image(other: OtherVolume, k: int) -> npt.NDArray[np.int16]:
    """(rows, columns) int16: one image of a usable `OtherVolume`, in stored order.

    Raises
    ------
    ScanError
        The file changed since it was judged.
    """
    with _as_it_was(other) as stored:
        return grey_plane(stored, k)


@contextmanager
def _as_it_was(other: OtherVolume) -> Iterator[StoredVolume]:
    """The stored volume of a usable one; its file must still be as it was judged."""
    if other.stored is None:
        raise ValueError(f"a volume that is refused: {other.refusal}")
    try:
        yield other.stored
    except (UnfitError, StopIteration) as reason:
        raise ScanError(
            f"{other.format}: {reason}",
            expected="the file as it was when the table of series was made",
            where="the scan's source",
            fix="look for who writes to this folder, and begin again",
        ) from reason


def read_other(other: OtherVolume, progress: Callable[[int, int], None] | None = None) -> Volume:
    """The volume of a usable `OtherVolume`: int16, LPS mm, always right-handed.

    Its frame of reference is a pseudonym of the content, since the file names none.

    Raises
    ------
    ScanError
        The file changed since it was judged.
    """
    with _as_it_was(other) as stored:
        voxels = grey_voxels(stored, other.left_handed, progress)
    matrix = stored.ijk_to_lps
    spacing_mm = spacing_of(matrix)
    direction, origin = matrix[:3, :3] / spacing_mm, matrix[:3, 3]
    if other.left_handed:
        origin = origin + matrix[:3, 2] * (len(voxels) - 1)
        direction = direction * [1.0, 1.0, -1.0]
    return Volume(
        voxels=voxels,
        origin_lps_mm=origin,
        spacing_mm=spacing_mm,
        direction=direction,
        frame_of_reference_uid=pseudonym_uid(other.digest),
        unit=other.unit,
    )
