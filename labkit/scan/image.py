"""One image of a series, as its header tells of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.scan.sources import File

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Image:
    """One plane of grey values: where its file is and where it lies in the patient.

    Parameters
    ----------
    file : the file that holds it.
    frame : which of the file's frames it is, from 0; 0 for a classic image.
    sop_instance_uid : as the file has it: replace it before it leaves the import.
    position_lps_mm : (3,) float64, mm, LPS: centre of the first pixel.
    orientation : (6,) float64: unit vectors along the rows (i) and down the columns (j), LPS.
    pixel_spacing_mm : between rows, between columns, in this order as DICOM has it.
    shape : rows, columns.
    frame_of_reference_uid : as the file has it.
    rescale : slope and intercept (Modality LUT); None where the header has none.

    A field is None where the header has no readable value.
    """

    file: File
    frame: int
    sop_instance_uid: str
    position_lps_mm: Array | None
    orientation: Array | None
    pixel_spacing_mm: tuple[float, float] | None
    shape: tuple[int, int]
    frame_of_reference_uid: str
    rescale: tuple[float, float] | None
