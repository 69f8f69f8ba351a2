"""Label maps as NIfTI, as learned segmentations write them; and volumes for these to read."""

import gzip
import itertools
import re
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from labkit.segmentation.labels.label_map import Segment, name_of_another_tool
from labkit.segmentation.labels.stored import (
    StoredLabels,
    cannot_be_placed,
    from_values,
    unreadable,
)
from labkit.volume import (
    MAXIMUM_VOXELS,
    NIFTI_TEMPLATES,
    RAS_TO_LPS,
    Array,
    Volume,
    affine,
    nifti_qform,
)

_TOLERANCE_MM = 0.1
_LABEL = re.compile(rb"<Label ([^>]*)><!\[CDATA\[([^\]]{1,200})\]\]></Label>")
_MAXIMUM_HEADER_BYTES = 2**22


def stored_nifti(path: Path, names: tuple[str, ...] = ()) -> StoredLabels:
    """The labels of a NIfTI file, where its header puts them.

    Names and colours come from the table that TotalSegmentator and Connectome Workbench
    keep in the header's extension, where there is one.

    Raises
    ------
    SegmentationError
        No whole NIfTI of labels with its place in the patient.
    """
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NiftiImageIO")
    with tempfile.TemporaryDirectory(prefix="labkit-") as place:
        # ITK prints the name of a file that it dislikes, and that may be the patient's.
        plain = Path(place) / ("mask.nii.gz" if path.suffix.lower() == ".gz" else "mask.nii")
        reader.SetFileName(str(shutil.copyfile(path, plain)))
        try:
            reader.ReadImageInformation()
            size = reader.GetSize()
            if sum(length > 1 for length in size) > 3 or reader.GetNumberOfComponents() != 1:
                raise unreadable("NIfTI file", f"{len(size)} axes or several values in a voxel")
            if not 0 < np.prod(size, dtype=float) <= MAXIMUM_VOXELS:
                raise unreadable("NIfTI file", f"sizes {size}")
            image = reader.Execute()
        except RuntimeError as error:
            raise unreadable("NIfTI file", "damaged, cut short or of an unknown kind") from error
    if image.GetDimension() != 3:
        image = image[(slice(None),) * 3 + (0,) * (image.GetDimension() - 3)]
    matrix = matrix_of(image)
    _check_place(reader, matrix, image.GetSize())
    return from_values(sitk.GetArrayViewFromImage(image), names, matrix, known=_names(path))


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a scan as NIfTI (``.nii.gz``), in its place in the patient, for another program."""
    sitk.WriteImage(image_of(volume), str(path), useCompression=True)


def image_of(volume: Volume) -> sitk.Image:
    """The scan as an image of ITK, which is in LPS and mm too."""
    image = sitk.GetImageFromArray(volume.voxels)
    image.SetOrigin(volume.origin_lps_mm.tolist())
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection(volume.direction.ravel().tolist())
    return image


def matrix_of(image: sitk.Image) -> Array:
    """(4, 4) float64: voxel index (i, j, k, 1) of an image of ITK to LPS mm."""
    directions = np.array(image.GetDirection()).reshape(3, 3)
    return affine(directions * image.GetSpacing(), image.GetOrigin())


def _check_place(reader: sitk.ImageFileReader, matrix: Array, size: Sequence[int]) -> None:
    """Refuse a header that gives no place, a template's, or two different ones.

    ITK takes one of the two forms of the header and is silent about the other.
    """
    codes = {form: int(reader.GetMetaData(f"{form}_code")) for form in ("qform", "sform")}
    placed = {form for form, code in codes.items() if code > 0 and code not in NIFTI_TEMPLATES}
    if not placed:
        raise cannot_be_placed(
            "it lies in a template, not in the patient"
            if set(codes.values()) & set(NIFTI_TEMPLATES)
            else "qform and sform codes are 0, so that left and right are unknown"
        )
    corners = np.array(list(itertools.product(*((0, length - 1) for length in size), [1])))
    for form in placed:
        other = RAS_TO_LPS @ (_sform(reader) if form == "sform" else _qform(reader))
        if not np.abs(corners @ (matrix - other).T).max() <= _TOLERANCE_MM:  # also where NaN
            raise cannot_be_placed(f"qform and sform differ, and ITK does not follow the {form}")


def _sform(reader: sitk.ImageFileReader) -> Array:
    rows = [reader.GetMetaData(f"srow_{axis}").split() for axis in "xyz"]
    return np.vstack([np.array(rows, float), [0.0, 0.0, 0.0, 1.0]])


def _qform(reader: sitk.ImageFileReader) -> Array:
    def numbers(*names: str) -> list[float]:
        return [float(reader.GetMetaData(name)) for name in names]

    return nifti_qform(
        numbers(*(f"quatern_{part}" for part in "bcd")),
        numbers(*(f"pixdim[{n}]" for n in range(4))),
        numbers(*(f"qoffset_{axis}" for axis in "xyz")),
    )


def _names(path: Path) -> dict[int, Segment]:
    """The table of labels in the header's extension."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            start = stream.read(_MAXIMUM_HEADER_BYTES)
    except (OSError, EOFError, zlib.error):  # ITK read it all the same: then without names
        return {}
    return dict(filter(None, (_named(match) for match in _LABEL.finditer(start))))


def _named(match: re.Match[bytes]) -> tuple[int, Segment] | None:
    told = dict(re.findall(r'(\w+)="([^"]*)"', match[1].decode("ascii", "replace")))
    try:
        red, green, blue = (min(max(float(told[c]), 0), 1) for c in ("Red", "Green", "Blue"))
        value = int(told["Key"])
        name = name_of_another_tool(match[2].decode("utf-8", "replace"), value)
        return value, Segment(name, rgb=(red, green, blue), algorithm="AUTOMATIC")
    except (KeyError, ValueError):
        return None
