"""Scans of a known body with every fault that a lab meets, each with what must come of it.

A fault is either a scan that lies badly (tilt, gaps) or files that say what is not so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from labkit.scan import Limits
from labkit.volume import Array
from tests.scan.body import (
    EVEN_MM,
    IMAGES,
    ROOT,
    SIZE,
    STEP_MM,
    Images,
    grey_of,
    stack,
    store,
    tilted,
    write,
)

Outcome = Literal["true", "corrected", "warned", "refused", "mirrored"]


@dataclass(frozen=True)
class Fault:
    """A faulty scan, and what must come of it.

    Parameters
    ----------
    outcome : ``true``: read as it is; ``corrected`` and ``warned``: read, and true, with a
        sentence; ``refused``; ``mirrored``: what no header can show.
    says : part of the sentence.
    write : puts the files into a folder.
    """

    outcome: Outcome
    says: str
    write: Callable[[Path], object]
    limits: Limits = field(default_factory=Limits)


def _scan(outcome: Outcome, says: str, make: Callable[[], Images], **limits: bool | float) -> Fault:
    return Fault(outcome, says, lambda to: write(make(), to), Limits(**limits))  # type: ignore[arg-type]


def _with(change: Callable[[Images], None]) -> Images:
    made = stack()
    change(made)
    return made


def _all(images: Callable[[], Images] = stack, **tags: object) -> Callable[[], Images]:
    """Tags of all images; a value that is a function is asked for each image's number."""

    def make() -> Images:
        made = images()
        for k, image in enumerate(made):
            values = {name: tag(k) if callable(tag) else tag for name, tag in tags.items()}
            image.update(_tags(values))
        return made

    return make


def _one(index: int = 12, **tags: object) -> Callable[[], Images]:
    return lambda: _with(lambda made: made[index].update(_tags(tags)))


def _tags(tags: dict[str, object]) -> Dataset:
    changed = Dataset()
    for keyword, value in tags.items():
        setattr(changed, keyword, value)
    return changed


def _without(*keywords: str, index: int | None = None) -> Callable[[], Images]:
    def change(made: Images) -> None:
        for image in made if index is None else [made[index]]:
            for keyword in keywords:
                delattr(image, keyword)

    return lambda: _with(change)


def _dropped(*indices: int) -> Callable[[], Images]:
    return lambda: [image for k, image in enumerate(stack()) if k not in indices]


def _moved(index: int, *by_mm: float) -> Callable[[], Images]:
    def change(made: Images) -> None:
        at = np.array(made[index].ImagePositionPatient, float) + by_mm
        made[index].ImagePositionPatient = [f"{value:.4f}" for value in at]

    return lambda: _with(change)


def _spaced(gaps_mm: Array) -> Array:
    along = np.concatenate([[0.0], np.cumsum(gaps_mm)])
    return np.asarray(along - along[-1] / 2)


def _jittered(size_mm: float, in_plane: bool = False) -> Images:
    random = np.random.default_rng(4)
    if in_plane:
        return stack(drift_mm=random.uniform(-size_mm, size_mm, (IMAGES, 2)))
    return stack(EVEN_MM + random.uniform(-size_mm, size_mm, IMAGES))


def _again(index: int, **tags: object) -> Callable[[], Images]:
    """One image twice, the second with other tags."""

    def make() -> Images:
        made = stack()
        twin = stack()[index]
        twin.update(_tags(tags))
        return [*made, twin]

    return make


def _noisy_twin(index: int, **tags: object) -> Callable[[], Images]:
    def make() -> Images:
        images = _again(index, **tags)()
        store(images[-1], grey_of(images[-1]) + 7)
        return images

    return make


def _two_reconstructions(**tags: object) -> Images:
    second = stack()
    for k, image in enumerate(second):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}.5.{k + 1}")
        image.update(_tags(tags))
        store(image, grey_of(image) + 7)
    return stack() + second


def _mirrored(**tags: object) -> Callable[[], Images]:
    def change(made: Images) -> None:
        for image in made:
            store(image, grey_of(image)[:, ::-1])
            image.update(_tags(tags))

    return lambda: _with(change)


def _fan() -> Images:
    made = stack()
    for k, image in enumerate(made):
        angle = np.radians(0.05 * k)
        image.ImageOrientationPatient = [
            1,
            0,
            0,
            0,
            round(np.cos(angle), 6),
            round(np.sin(angle), 6),
        ]
    return made


def _rescaled(each: Callable[[int], tuple[float, float, bool]]) -> Callable[[], Images]:
    def change(made: Images) -> None:
        for k, image in enumerate(made):
            slope, intercept, signed = each(k)
            store(image, grey_of(image), slope, intercept, signed)

    return lambda: _with(change)


def _padded() -> Images:
    made = stack()
    for image in made:
        stored = np.frombuffer(image.PixelData, np.uint16).reshape(SIZE, SIZE).copy()
        stored[:3] = 63536
        image.PixelData, image.PixelPaddingValue = stored.tobytes(), 63536
    return made


def _twelve_bits() -> Images:
    """Stored in the upper twelve bits, with an overlay in the lower four."""
    made = stack()
    for image in made:
        store(image, grey_of(image), 1, -1024)
        stored = np.frombuffer(image.PixelData, np.uint16)
        image.PixelData = ((stored << 4) | 5).astype(np.uint16).tobytes()
        image.BitsStored, image.HighBit = 12, 15
    return made


def _compressed(syntax: str) -> Callable[[], Images]:
    def change(made: Images) -> None:
        for image in made:
            image.compress(syntax, generate_instance_uid=False)

    return lambda: _with(change)


def _stored_as(syntax: str) -> Callable[[], Images]:
    def change(made: Images) -> None:
        for image in made:
            if syntax == ExplicitVRBigEndian:
                image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
            image.file_meta.TransferSyntaxUID = UID(syntax)

    return lambda: _with(change)


def _beside(*extra: Dataset) -> Images:
    return [*stack(), *extra]


def _scout(**tags: object) -> Dataset:
    scout = stack(np.array([0.0]), (0, 1, 0, 0, 0, -1))[0]
    scout.ImageType, scout.SOPInstanceUID = ["ORIGINAL", "PRIMARY", "LOCALIZER"], UID(f"{ROOT}.6")
    scout.file_meta.MediaStorageSOPInstanceUID = scout.SOPInstanceUID
    scout.update(_tags(tags))
    return scout


def _capture(**tags: object) -> Dataset:
    capture = stack(np.array([0.0]))[0]
    capture.SOPClassUID = capture.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    capture.SOPInstanceUID = capture.file_meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}.7")
    capture.ImageType = ["DERIVED", "SECONDARY"]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(capture, keyword)
    capture.update(_tags(tags))
    return capture


def _with_files(**files: bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        write(stack(), folder)
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_bytes(content)

    return make


def _cut(keep: float | int) -> Callable[[Path], None]:
    """The last image cut to a share of its bytes, or to a number of them."""

    def make(folder: Path) -> None:
        write(stack(), folder)
        last = max(folder.iterdir())
        content = last.read_bytes()
        last.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])

    return make


def _nested(folder: Path) -> None:
    made = stack()
    write(made[::2], folder / "a")
    write(made[1::2], folder / "b" / "c")


def _disc_without(index: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        disc = FileSet()
        for image in stack():
            disc.add(image)
        disc.write(folder)
        disc._stage["t"].cleanup()  # pydicom leaves it to the garbage collector
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "DICOMDIR")
        files[index].unlink()

    return make


def _oblique(degrees: float) -> tuple[float, ...]:
    c, s = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return (c, s * 0.6, -s * 0.8, -s * 0.6, c + (1 - c) * 0.64, (1 - c) * 0.48)


_ZONES = _spaced(np.r_[np.full(16, 1.0), np.full(11, 1.8)])
_EVEN = _spaced(np.full(IMAGES - 1, STEP_MM))
_WITH_GAP = np.delete(_EVEN, 17)
_WAVY = _spaced(STEP_MM + 0.25 * np.sin(np.arange(IMAGES - 1)))
FLIPPED = [1, 0, 0, 0, -1, 0]
MISSING = " missing: "

FAULTS: dict[str, Fault] = {
    # what is no fault, or not seen in the volume
    "nothing wrong": _scan("true", "", stack),
    "files in reversed order": _scan("true", "", lambda: stack()[::-1]),
    "shuffled names": Fault("true", "", lambda to: write(stack()[7:] + stack()[:7], to)),
    "instance numbers wrong": _scan("true", "", _all(InstanceNumber=7)),
    "nested folders": Fault("true", "", _nested),
    "feet first": _scan("true", "", lambda: stack(orientation=(-1, 0, 0, 0, 1, 0), position="FFS")),
    "prone": _scan("true", "", lambda: stack(orientation=(-1, 0, 0, 0, -1, 0), position="HFP")),
    "sagittal": _scan("true", "", lambda: stack(orientation=(0, 1, 0, 0, 0, -1))),
    "coronal": _scan("true", "", lambda: stack(orientation=(1, 0, 0, 0, 0, -1))),
    "oblique 30°": _scan("true", "", lambda: stack(orientation=_oblique(30))),
    "jitter 0.005 mm": _scan("true", "", lambda: _jittered(0.005)),
    "signed": _scan("true", "", _rescaled(lambda k: (1, 0, True))),
    "rescale of its own per slice": _scan(
        "true", "", _rescaled(lambda k: (0.5 + k % 3 / 4, -1024 - k, False))
    ),
    "twelve bits under an overlay": _scan("true", "", _twelve_bits),
    "padding": _scan("true", "", _padded),
    "MONOCHROME1": _scan("true", "", _all(PhotometricInterpretation="MONOCHROME1")),
    "big endian": _scan("true", "", _stored_as(ExplicitVRBigEndian)),
    "deflated": _scan("true", "", _stored_as(DeflatedExplicitVRLittleEndian)),
    "run length": _scan("true", "", _compressed(RLELossless)),
    "JPEG-LS": _scan("true", "", _compressed(JPEGLSLossless)),
    # what is left out
    "a file twice": _scan("warned", "left out: 1 image that", _again(12)),
    "an image sent twice": _scan(
        "warned", "left out: 1 image that", _again(3, SOPInstanceUID="1.2.3")
    ),
    "all files twice": _scan("warned", "left out: 30 images that", lambda: stack() + stack()),
    "scout of its own": _scan("true", "", lambda: _beside(_scout(SeriesInstanceUID="1.2.3"))),
    "scout inside": _scan("true", "", lambda: _beside(_scout())),
    "screen capture of its own": _scan(
        "true", "", lambda: _beside(_capture(SeriesInstanceUID="1.2.3"))
    ),
    "screen capture inside": _scan("true", "", lambda: _beside(_capture())),
    "a text and a hidden file": Fault(
        "true", "", _with_files(readme_txt=b"x", _DS_Store=b"\0" * 9)
    ),
    "two series in one folder": _scan(
        "true", "", lambda: stack() + _all(SeriesInstanceUID="1.2.3")()[::2]
    ),
    "two kernels under one UID": _scan(
        "true", "", lambda: _two_reconstructions(ConvolutionKernel="S")
    ),
    # what is straightened or evened
    "tilt +15°": _scan("corrected", "sheared by 15.0°", lambda: tilted(15)),
    "tilt −15°": _scan("corrected", "sheared by 15.0°", lambda: tilted(-15)),
    "tilt 0.5°": _scan("corrected", "sheared by 0.5°", lambda: tilted(0.5)),
    "tilt 28°": _scan("corrected", "sheared by 28.0°", lambda: tilted(28)),
    "tilt along the rows": _scan("corrected", "sheared by 10.0°", lambda: tilted(10, axis=0)),
    "tilt and varying gaps": _scan("corrected", "varies", lambda: tilted(15, along_mm=_WAVY)),
    "tilt and a missing slice": _scan(
        "corrected", MISSING, lambda: tilted(15, along_mm=_WITH_GAP), interpolate_missing=True
    ),
    "two spacings": _scan("corrected", "varies", lambda: stack(_ZONES)),
    "wavy spacing": _scan("corrected", "varies", lambda: stack(_WAVY)),
    "jitter 0.3 mm along the normal": _scan("corrected", "varies", lambda: _jittered(0.3)),
    "jitter 0.15 mm in the plane": _scan(
        "corrected", "shifted against each other", lambda: _jittered(0.15, in_plane=True)
    ),
    "a missing slice, made up": _scan("corrected", MISSING, _dropped(17), interpolate_missing=True),
    # what is refused: the stack
    "a missing slice": _scan("refused", f"1 image{MISSING}", _dropped(17)),
    "missing at three places": _scan("refused", f"3 images{MISSING}", _dropped(4, 13, 21)),
    "two missing in a row": _scan("refused", "too many", _dropped(9, 10), interpolate_missing=True),
    "three made up": _scan("refused", "too many", _dropped(4, 13, 21), interpolate_missing=True),
    "first slice missing on a disc": Fault("refused", "DICOMDIR", _disc_without(0)),
    "last slice missing on a disc": Fault("refused", "DICOMDIR", _disc_without(-1)),
    "gaps up to 4 mm": _scan(
        "refused", "varies", lambda: stack(_spaced(np.r_[np.full(9, 1.2), 4.0, np.full(9, 2.1)]))
    ),
    "tilt and gaps up to 4 mm": _scan(
        "refused",
        "sheared by 15.0°",
        lambda: tilted(15, along_mm=_spaced(np.tile([1.2, 4, 2.1], 6))),
    ),
    "tilt and a missing slice, not asked": _scan(
        "refused", "sheared by 15.0°", lambda: tilted(15, along_mm=_WITH_GAP)
    ),
    "sheared by 40°": _scan("refused", "more than any gantry tilts", lambda: tilted(40)),
    "one image 3 mm aside": _scan("refused", "off a straight line", _moved(12, 3, 0, 0)),
    "two scans overlap": _scan("refused", "overlap", _moved(12, 0, 0, 1.15)),
    "other pixels at one place": _scan(
        "refused", "duplicates", _noisy_twin(12, SOPInstanceUID="1.2.3")
    ),
    "other pixels under one UID": _scan("refused", "duplicates", _noisy_twin(12)),
    "two reconstructions, told apart by nothing": _scan(
        "refused", "duplicates", _two_reconstructions
    ),
    "images 60 mm apart": _scan("refused", "60 mm apart", lambda: stack(_spaced(np.full(4, 60.0)))),
    "one image": _scan("refused", "only 1 image", lambda: stack()[:1]),
    "two images": _scan("refused", "only 2 images", lambda: stack()[:2]),
    # what is refused: the planes
    "orientation sign of one image": _scan(
        "refused", "orientation", _one(ImageOrientationPatient=FLIPPED)
    ),
    "a fan": _scan("refused", "different orientation", _fan),
    "no position": _scan("refused", "Image Position", _without("ImagePositionPatient", index=12)),
    "no orientation": _scan("refused", "Image Orientation", _without("ImageOrientationPatient")),
    "position far away": _scan("refused", "ten metres", _one(ImagePositionPatient=[0, 0, 2e6])),
    "orientation not of unit vectors": _scan(
        "refused", "unit vectors", _all(ImageOrientationPatient=[2, 0, 0, 0, 1, 0])
    ),
    "orientation not square": _scan(
        "refused", "right angle", _all(ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0])
    ),
    "pixel spacing 0": _scan("refused", "Pixel Spacing", _all(PixelSpacing=[0, 0])),
    "pixel spacing 60 mm": _scan(
        "refused", "improbable Pixel Spacing", _all(PixelSpacing=[60, 60])
    ),
    "pixel spacing of one image": _scan("refused", "pixel spacing", _one(PixelSpacing=[0.9, 0.9])),
    "rows of one image": _scan("refused", "matrix", _one(Rows=32)),
    "other frame of reference": _scan(
        "refused", "frame of reference", _one(FrameOfReferenceUID="1.2.3")
    ),
    # what is refused: the pixels
    "no rescale": _scan("refused", "Rescale", _without("RescaleSlope", "RescaleIntercept")),
    "cut within the pixels": Fault("refused", "cut short", _cut(0.9)),
    "cut within the header": Fault("refused", "within its header", _cut(700)),
    "cut to nothing": Fault("warned", "empty file", _cut(0)),
    # tags that contradict position and orientation
    "orientation sign of all images": _scan(
        "refused", "Patient Orientation", _all(ImageOrientationPatient=FLIPPED)
    ),
    "orientation sign, no Patient Orientation": _scan(
        "refused",
        "Reconstruction Target Center",
        _all(ImageOrientationPatient=FLIPPED, PatientOrientation=None),
    ),
    "mirrored, and Patient Orientation says so": _scan(
        "refused", "Patient Orientation", _mirrored(PatientOrientation=["R", "P"])
    ),
    "mirrored for display": _scan("refused", "flipped", _mirrored(ImageHorizontalFlip="Y")),
    "wrong Pixel Spacing": _scan(
        "refused", "Reconstruction Diameter", _all(PixelSpacing=[0.8, 0.8])
    ),
    "row and column spacing swapped": _scan(
        "refused",
        "Reconstruction Target Center",
        _all(lambda: stack(pixel_mm=(0.7, 0.6)), PixelSpacing=[0.6, 0.7]),
    ),
    "tilt overwritten": _scan("refused", "Gantry/Detector Tilt", _all(GantryDetectorTilt=15)),
    "non-square pixels": _scan("warned", "swapped", lambda: stack(pixel_mm=(0.7, 0.6))),
    "tilt not stated": _scan(
        "warned",
        "Gantry/Detector Tilt",
        _all(lambda: tilted(15), GantryDetectorTilt=0),
    ),
    "Slice Location wrong": _scan(
        "warned",
        "Slice Location",
        _all(SliceLocation=lambda k: k * 3),
    ),
    "Slice Location in disorder": _scan(
        "warned",
        "another order",
        _all(SliceLocation=lambda k: k * 7 % 30),
    ),
    "Spacing Between Slices wrong": _scan(
        "warned", "Spacing Between Slices", _all(SpacingBetweenSlices=5)
    ),
    "every other image missing": _scan(
        "warned",
        "only every 2. image",
        lambda: _all(SpacingBetweenSlices=STEP_MM)()[::2],
    ),
    "turned, only Patient Position tells": _scan(
        "warned",
        "Patient Position: HFS, but",
        _all(lambda: stack(orientation=(-1, 0, 0, 0, -1, 0)), PatientOrientation=None),
    ),
    "no frame of reference": _scan("warned", "Frame of Reference", _without("FrameOfReferenceUID")),
    "mirrored without a trace": _scan("mirrored", "", _mirrored()),
}
