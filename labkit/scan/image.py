"""One image of a series, as its header tells of it."""

from dataclasses import dataclass

from labkit.scan.sources import File
from labkit.volume import Array


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of an image are stored (PS3.3 C.7.6.3, PS3.5 section 8).

    Parameters
    ----------
    transfer_syntax : its UID.
    bits_allocated, bits_stored, high_bit : of one pixel.
    signed : whether pixels are in two's complement.
    little_endian : the order of the bytes of native pixels.
    photometric_interpretation : MONOCHROME1 or MONOCHROME2: a wish for the display only,
        no statement about grey values (PS3.3 C.7.6.3.1.2).
    padding : the lowest and highest stored value that mean "outside the image"
        (PS3.3 C.7.5.1.1.2); None where there is none.
    overlaid : whether overlays lie in the bits that pixels do not take (retired, PS3.5 8.1.2).
    """

    transfer_syntax: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    little_endian: bool = True
    photometric_interpretation: str = "MONOCHROME2"
    padding: tuple[int, int] | None = None
    overlaid: bool = False


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
    slice_location_mm : Slice Location, mm: an annotation, only compared with the position.
    target_center_lps_mm : (3,) float64, mm, LPS: Reconstruction Target Center (Patient),
        only compared with the position.
    rescale_type : what rescaled values are, in the header's term; empty where it says nothing.
    sop_class_uid : what kind of object the image is.
    stack : values of the tags by which stacks of one series are told apart, in the order
        of `labkit.scan.parts.STACK_TAGS`.
    pixels : how they are stored; None where the file has none that can be used.
    pixel_offset : bytes from the start of the file to the frame, or to the first
        fragment of compressed pixels.
    frames : how many frames the file has.
    problem : why the image can be no part of a volume; empty if it can.

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
    slice_location_mm: float | None = None
    target_center_lps_mm: Array | None = None
    rescale_type: str = ""
    sop_class_uid: str = ""
    stack: tuple[str, ...] = ()
    pixels: PixelFormat | None = None
    pixel_offset: int = 0
    frames: int = 1
    problem: str = ""
