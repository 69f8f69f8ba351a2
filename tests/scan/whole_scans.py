"""Small whole scans in every encoding, for `tests.scan.mutations` to damage."""

import gzip
import io
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

IMAGES, ROWS, COLUMNS = 4, 24, 20
ROOT = "1.2.826.0.1.3680043.8.498.79"


def _grey(k: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    values = np.random.default_rng(k).normal(40, 12, (ROWS, COLUMNS)) + 1024
    values[:6] = 24
    values[10:14, 8:12] = 2300
    return values.astype(np.uint16)


def _image(k: int, syntax: UID = ExplicitVRLittleEndian, kind: UID = CTImageStorage) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = kind
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = UID(f"{ROOT}.{k + 10}")
    image.StudyInstanceUID, image.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
    image.FrameOfReferenceUID = f"{ROOT}.3"
    image.SpecificCharacterSet, image.PatientName = "ISO_IR 100", "DOE^JÖRG"
    image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.Manufacturer, image.ConvolutionKernel = "nobody", "B30s"
    image.ReferencedImageSequence = Sequence([_reference()])
    image.Rows, image.Columns, image.SamplesPerPixel = ROWS, COLUMNS, 1
    image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelSpacing, image.SliceThickness = [0.7, 0.6], 1.25
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient = [-10.0, 20.0, 100 + 1.25 * k]
    image.InstanceNumber = k + 1
    image.RescaleSlope, image.RescaleIntercept = 1, -1024
    image.PixelData = _grey(k).tobytes()
    if syntax == ExplicitVRBigEndian:
        image.PixelData = _grey(k).astype(">u2").tobytes()
    return image


def _reference() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, f"{ROOT}.99"
    return item


def _enhanced(syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    image = _image(0, kind=EnhancedCTImageStorage)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(image, name)
    image.NumberOfFrames = IMAGES
    image.PixelData = b"".join(_grey(k).tobytes() for k in range(IMAGES))
    measures, orientation, transformation, shared = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.6], 1.25
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    transformation.RescaleSlope, transformation.RescaleIntercept = 1, -1024
    transformation.RescaleType = "HU"
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelValueTransformationSequence = Sequence([transformation])
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k in range(IMAGES):
        position, frame = Dataset(), Dataset()
        position.ImagePositionPatient = [-10.0, 20.0, 100 + 1.25 * k]
        frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    image.PerFrameFunctionalGroupsSequence = Sequence(frames)
    if syntax != ExplicitVRLittleEndian:
        image.compress(syntax, generate_instance_uid=False)
    return image


def _compressed(k: int, syntax: UID) -> Dataset:
    image = _image(k)
    image.compress(syntax, generate_instance_uid=False)
    return image


def _bytes_of(image: Dataset) -> bytes:
    stream = io.BytesIO()
    image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _by_gdcm(k: int, syntax: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        before, after = f"{folder}/before", f"{folder}/after"
        Path(before).write_bytes(_bytes_of(_image(k)))
        reader = gdcm.ImageReader()
        reader.SetFileName(before)
        reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
        change.SetInput(reader.GetImage())
        change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(after)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.Write()
        return Path(after).read_bytes()


def _slices(make: Callable[[int], bytes]) -> dict[str, bytes]:
    return {f"{k}.dcm": make(k) for k in range(IMAGES)}


def _plain(syntax: UID, kind: UID = CTImageStorage) -> dict[str, bytes]:
    def make(k: int) -> bytes:
        image = _image(k, syntax, kind)
        if kind == MRImageStorage:
            image.Modality = "MR"
            del image.RescaleSlope, image.RescaleIntercept
        return _bytes_of(image)

    return _slices(make)


def _other(end: str) -> dict[str, bytes]:
    voxels = np.stack([_grey(k).astype(np.int16) - 1024 for k in range(IMAGES)]).astype("<i2")
    sizes = f"{COLUMNS} {ROWS} {IMAGES}"
    if end.startswith(".nii"):
        header = bytearray(352)
        struct.pack_into("<i", header, 0, 348)
        struct.pack_into("<8h", header, 40, 3, COLUMNS, ROWS, IMAGES, 1, 1, 1, 1)
        struct.pack_into("<4h", header, 68, 0, 4, 16, 0)
        struct.pack_into("<11f", header, 76, 1, 0.6, 0.7, 1.25, 1, 1, 1, 1, 352, 1, 0)
        struct.pack_into("<B", header, 123, 2)
        struct.pack_into("<2h6f", header, 252, 1, 1, 0, 0, 0, 9, 8, 7)
        struct.pack_into("<12f", header, 280, 0.6, 0, 0, 9, 0, 0.7, 0, 8, 0, 0, 1.25, 7)
        header[344:348] = b"n+1\0"
        content = bytes(header) + voxels.tobytes()
        return {f"scan{end}": gzip.compress(content) if end == ".nii.gz" else content}
    if end == ".nrrd":
        head = (
            "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\n"
            f"sizes: {sizes}\nspace directions: (0.6,0,0) (0,0.7,0) (0,0,1.25)\n"
            "kinds: domain domain domain\nendian: little\nencoding: gzip\n"
            "space origin: (-10,20,100)\n\n"
        )
        return {"scan.nrrd": head.encode() + gzip.compress(voxels.tobytes())}
    head = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "CompressedData = True\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = -10 20 100\n"
        f"ElementSpacing = 0.6 0.7 1.25\nDimSize = {sizes}\nElementType = MET_SHORT\n"
    )
    packed = zlib.compress(voxels.tobytes())
    if end == ".mha":
        return {"scan.mha": f"{head}ElementDataFile = LOCAL\n".encode() + packed}
    return {"scan.mhd": f"{head}ElementDataFile = scan.zraw\n".encode(), "scan.zraw": packed}


def _zip() -> dict[str, bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _plain(ExplicitVRLittleEndian).items():
            archive.writestr(f"disc/{name}", content)
    return {"scan.zip": stream.getvalue()}


_J2K, _J2K_LOSSY, _LOSSLESS, _BASELINE = (
    gdcm.TransferSyntax.JPEG2000Lossless,
    gdcm.TransferSyntax.JPEG2000,
    gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    gdcm.TransferSyntax.JPEGExtendedProcess2_4,
)
BASES: dict[str, Callable[[], dict[str, bytes]]] = {
    "explicit": lambda: _plain(ExplicitVRLittleEndian),
    "implicit": lambda: _plain(ImplicitVRLittleEndian),
    "big endian": lambda: _plain(ExplicitVRBigEndian),
    "deflated": lambda: _plain(DeflatedExplicitVRLittleEndian),
    "MR": lambda: _plain(ExplicitVRLittleEndian, MRImageStorage),
    "RLE": lambda: _slices(lambda k: _bytes_of(_compressed(k, RLELossless))),
    "JPEG-LS": lambda: _slices(lambda k: _bytes_of(_compressed(k, JPEGLSLossless))),
    "JPEG 2000": lambda: _slices(lambda k: _by_gdcm(k, _J2K)),
    "JPEG 2000 lossy": lambda: _slices(lambda k: _by_gdcm(k, _J2K_LOSSY)),
    "JPEG lossless": lambda: _slices(lambda k: _by_gdcm(k, _LOSSLESS)),
    "JPEG 12 bit": lambda: _slices(lambda k: _by_gdcm(k, _BASELINE)),
    "enhanced": lambda: {"1.dcm": _bytes_of(_enhanced())},
    "enhanced RLE": lambda: {"1.dcm": _bytes_of(_enhanced(RLELossless))},
    "enhanced JPEG-LS": lambda: {"1.dcm": _bytes_of(_enhanced(JPEGLSLossless))},
    "NIfTI": lambda: _other(".nii"),
    "NIfTI gz": lambda: _other(".nii.gz"),
    "NRRD": lambda: _other(".nrrd"),
    "MetaImage": lambda: _other(".mha"),
    "MetaImage in two": lambda: _other(".mhd"),
    "zip": _zip,
}


@cache
def base(name: str) -> dict[str, bytes]:
    """The undamaged files of a base."""
    return BASES[name]()
