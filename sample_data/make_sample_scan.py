"""Makes the sample scan: a CT of the forearm phantom, its truth, an order and a manifest.

Run ``python sample_data/make_sample_scan.py [--to DIR]``.  The same bytes come out on
every machine: whatever reaches a pixel is whole numbers (micrometres, Hounsfield
units, counts of sub-samples), the noise comes from the raw stream of PCG64, and the
DICOM headers hold fixed identifiers and dates.
"""

import argparse
import hashlib
import io
import json
import sys
import uuid
from pathlib import Path

import numpy as np
import phantom
from phantom import (
    AIR_HU,
    COLUMNS,
    FIELD_UM,
    ORIGIN_LPS_UM,
    PIXEL_UM,
    ROWS,
    SLICE_UM,
    SLICES,
    Ints,
)
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, JPEGLSLossless

SUB, SUB_Z = 5, 4  # sub-samples of a voxel along x and y, and along z
BLUR_XY = (1, 8, 14, 8, 1)  # [1 2 1] * [1 6 1], variance 0.75 pixels²
BLUR_Z = (1, 6, 1)  # variance 0.25 slices²
NOISE_HU = 12
SEED = 20260105
NAMESPACE = uuid.UUID("6d1f8f0e-6c1b-4f0c-9a55-2f5d1f0c7a11")


def render() -> tuple[Ints, dict[str, int]]:
    """(k, j, i) int64 HU of the scan, and how many sub-samples in the field each part holds."""
    pitch, pitch_z = PIXEL_UM // SUB, SLICE_UM // SUB_Z
    x = (np.arange(COLUMNS * SUB) * 2 + 1 - COLUMNS * SUB) * pitch // 2
    y = (np.arange(ROWS * SUB) * 2 + 1 - ROWS * SUB) * pitch // 2
    scene = phantom.parts()
    counts = dict.fromkeys((part.name for part in scene), 0)
    sums = np.zeros((SLICES + 2, ROWS, COLUMNS), np.int64)  # a slice more at both ends, to blur
    for layer in range(-SUB_Z, (SLICES + 1) * SUB_Z):
        z = np.array([[layer * pitch_z + pitch_z // 2]])
        fine = np.full((y.size, x.size), AIR_HU, np.int32)
        for part in scene:
            (x0, x1), (y0, y1), (z0, z1) = part.box
            if not z0 <= z[0, 0] < z1:
                continue
            columns = slice(*np.searchsorted(x, (x0, x1)))
            rows = slice(*np.searchsorted(y, (y0, y1)))
            there = part.inside(x[None, columns], y[rows, None], z)
            np.copyto(fine[rows, columns], np.int32(part.hu(z)), where=there)
            if 0 <= layer < SLICES * SUB_Z:
                counts[part.name] += int(np.count_nonzero(there))
        by_rows = fine.reshape(ROWS, SUB, COLUMNS * SUB).sum(axis=1)
        sums[layer // SUB_Z + 1] += by_rows.reshape(ROWS, COLUMNS, SUB).sum(axis=2)
    for axis, kernel in ((0, BLUR_Z), (1, BLUR_XY), (2, BLUR_XY)):
        sums = _blurred(sums, axis, kernel)
    weight = SUB * SUB * SUB_Z * sum(BLUR_Z) * sum(BLUR_XY) ** 2
    hu = (sums[1:-1] + _noise(weight) + weight // 2) // weight
    return np.clip(hu, -1024, 3071), counts


def _blurred(values: Ints, axis: int, kernel: tuple[int, ...]) -> Ints:
    reach = len(kernel) // 2
    padding = [(reach, reach) if one == axis else (0, 0) for one in range(values.ndim)]
    padded = np.pad(values, padding, mode="edge")
    size = values.shape[axis]
    pieces = (
        weight * np.take(padded, range(at, at + size), axis) for at, weight in enumerate(kernel)
    )
    return np.asarray(sum(pieces), np.int64)


def _noise(unit: int) -> Ints:
    """Noise of `NOISE_HU`, in 1/``unit`` HU, with the grain of a reconstruction.

    Only PCG64's raw stream is promised to stay as it is (NEP 19), so the bell curve is
    the sum of the eight bytes of a raw number: mean 1020, standard deviation 209.
    """
    raw = np.random.PCG64(SEED).random_raw(SLICES * ROWS * COLUMNS).astype("<u8")
    bells = raw.view(np.uint8).reshape(SLICES, ROWS, COLUMNS, 8).sum(axis=3, dtype=np.int64) - 1020
    grained = _blurred(_blurred(bells, 1, (1, 2, 1)), 2, (1, 2, 1))  # standard deviation × 6
    return grained * (NOISE_HU * unit // (209 * 6))


def uid(name: str) -> UID:
    """A fixed UID for ``name`` (DICOM PS3.5 B.2: from a UUID)."""
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, name).int}")


def decimals(*um: int) -> list[str]:
    """Millimetres as decimal strings."""
    return [f"{one / 1000:.3f}" for one in um]


def dicom(name: str, pixels: Ints, series: str, number: int, **tags: object) -> bytes:
    """One image of the study as a DICOM file, JPEG-LS lossless."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = uid(name)
    image.file_meta.ImplementationClassUID = uid("implementation")
    image.file_meta.ImplementationVersionName = "LABKIT_SAMPLE_1"
    common = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid(name),
        "StudyInstanceUID": uid("study"),
        "SeriesInstanceUID": uid(series),
        "FrameOfReferenceUID": uid("frame"),
        "PositionReferenceIndicator": "",
        "PatientName": "SAMPLE^FOREARM",
        "PatientID": "SAMPLE-0001",
        "PatientBirthDate": "",
        "PatientSex": "",
        "QualityControlSubject": "YES",
        "StudyID": "1",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "StudyDescription": "Sample scan, computed phantom",
        "StudyDate": "20260105",
        "SeriesDate": "20260105",
        "AcquisitionDate": "20260105",
        "ContentDate": "20260105",
        "StudyTime": "090000",
        "Modality": "CT",
        "Manufacturer": "labkit",
        "ManufacturerModelName": "make_sample_scan",
        "SoftwareVersions": "1",
        "BodyPartExamined": "FOREARM",
        "Laterality": "R",
        "PatientPosition": "HFS",
        "KVP": "120",
        "ConvolutionKernel": "BINOMIAL",
        "InstanceNumber": number,
        "AcquisitionNumber": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleSlope": "1",
        "RescaleIntercept": "-1024",
        "BurnedInAnnotation": "NO",
        "ImageComments": "Computed phantom, no patient",
        "PatientOrientation": "",
    }
    for keyword, value in {**common, **tags}.items():
        setattr(image, keyword, value)
    stored = (pixels + 1024).astype(np.uint16)
    image.compress(JPEGLSLossless, stored, encoding_plugin="pyjpegls", generate_instance_uid=False)
    buffer = io.BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def images(hu: Ints) -> dict[str, bytes]:
    """The files of the study by name; the order of names is not that of the slices."""
    x0, y0, z0 = (o - f // 2 for o, f in zip(ORIGIN_LPS_UM, (*FIELD_UM[:2], 0), strict=True))
    names = [f"IM{(k * 38 + 17) % (SLICES + 1) + 1:04d}.dcm" for k in range(SLICES + 1)]
    half = PIXEL_UM // 2
    files = {}
    for k in range(SLICES):
        z = z0 + SLICE_UM * k + SLICE_UM // 2
        files[names[k]] = dicom(
            f"slice {k}",
            hu[k],
            "axial",
            SLICES - k,
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            SeriesNumber=2,
            SeriesDescription="Forearm axial 0.8",
            SeriesTime="090500",
            AcquisitionTime="090500",
            ContentTime="090500",
            ImagePositionPatient=decimals(x0 + half, y0 + half, z),
            ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
            PixelSpacing=decimals(PIXEL_UM, PIXEL_UM),
            SliceThickness=decimals(SLICE_UM)[0],
            SliceLocation=decimals(z)[0],
        )
    top = z0 + SLICE_UM * (SLICES - 1) + SLICE_UM // 2
    files[names[SLICES]] = dicom(
        "scout image",
        (hu[::-1].sum(axis=1) // ROWS),
        "scout",
        1,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        SeriesNumber=1,
        SeriesDescription="Scout",
        SeriesTime="090100",
        AcquisitionTime="090100",
        ContentTime="090100",
        ImagePositionPatient=decimals(x0 + half, ORIGIN_LPS_UM[1], top),
        ImageOrientationPatient=["1", "0", "0", "0", "0", "-1"],
        PixelSpacing=decimals(SLICE_UM, PIXEL_UM),
        SliceThickness=decimals(FIELD_UM[1])[0],
    )
    return dict(sorted(files.items()))


ORDER = """\
# The order of the sample case: an exercise, no patient behind it.
case: SAMPLE-0001
patient_code: SAMPLE-0001
anatomy: distal radius and ulna
laterality: right
device: anatomical model
requested_by: course leader
prescription: bone model of the distal radius, life size, standing on a plate
practice: true
"""


def truth(counts: dict[str, int]) -> dict[str, object]:
    """What is known of the phantom, in words and numbers, LPS mm."""
    sample_mm3 = PIXEL_UM * PIXEL_UM * SLICE_UM // (SUB * SUB * SUB_Z) / 10**9
    y0, z0 = phantom.BARS_FROM_UM[1:]
    return {
        "what": "Computed CT of a right distal forearm with the arm raised; no patient. "
        "The formulas are in phantom.py: inside(), distance_mm().",
        "frame": "LPS",
        "field": {
            "first_voxel_centre_lps_mm": _point((-63_750, -49_750, 400)),
            "voxel_mm": [PIXEL_UM / 1000, PIXEL_UM / 1000, SLICE_UM / 1000],
            "voxels_ijk": [COLUMNS, ROWS, SLICES],
        },
        "laterality": "right: the radius lies on the patient's right of the ulna, the wrist "
        "is the upper (S) end, the palm faces the table (P)",
        "blur_sigma_mm": {
            "in_plane": round(0.75**0.5 * PIXEL_UM / 1000, 3),
            "along_z": round(0.25**0.5 * SLICE_UM / 1000, 3),
            "note": "on top of the mean over each voxel",
        },
        "noise_sigma_hu": NOISE_HU,
        "grey_values_hu": {
            "air": AIR_HU,
            "muscle": phantom.MUSCLE_HU,
            "cortical_bone": phantom.CORTICAL_HU,
            "marrow_of_the_shafts": phantom.MARROW_HU,
            "trabecular_bone_at_the_wrist": phantom.TRABECULAR_HU,
            "balls": phantom.BALL_HU,
            "bars": phantom.BAR_HU,
            "block_around_the_bars": phantom.BLOCK_HU,
            "mark": phantom.MARK_HU,
        },
        "bones": {
            name: {
                "outer_volume_in_field_mm3": round(counts[name] * sample_mm3, 1),
                "cortex_um_at_shaft_and_wrist": [2400, 900],
                "cut_by_the_field_at_z_mm": _point((0, 0, 0))[2],
            }
            for name in phantom.BONES
        },
        "balls": {
            "diameter_mm": phantom.BALL_DIAMETER_UM / 1000,
            "centres_lps_mm": [_point(centre) for centre in phantom.BALLS_UM],
        },
        "line_pairs": {
            "bar_widths_mm": [width / 1000 for _, width in phantom.bars_um()],
            "bars_begin_at_x_mm": [_point((x, y0, z0))[0] for x, _ in phantom.bars_um()],
            "corner_lps_mm": _point(phantom.BARS_FROM_UM),
            "bar_height_y_mm": phantom.BARS_SIZE_UM[0] / 1000,
            "bar_length_z_mm": phantom.BARS_SIZE_UM[1] / 1000,
        },
        "mark": {
            "letter": "R",
            "lies": "on the patient's right, readable in an axial image seen from the feet",
            "corner_lps_mm": _point(phantom.MARK_UM),
            "stem_length_z_mm": phantom.MARK_STEM_UM / 1000,
            "rest_length_z_mm": phantom.MARK_REST_UM / 1000,
        },
    }


def _point(local_um: tuple[int, int, int]) -> list[float]:
    return [round(float(value), 3) for value in phantom.to_lps_mm(local_um)]


def make(folder: Path) -> None:
    """Write the scan, its truth, its order and the manifest of their hashes into ``folder``."""
    hu, counts = render()
    files = {f"ct_forearm/{name}": content for name, content in images(hu).items()}
    files["truth.json"] = (json.dumps(truth(counts), indent=2) + "\n").encode()
    files["order.yaml"] = ORDER.encode()
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files["manifest.sha256"] = "".join(lines).encode()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    size = sum(map(len, files.values())) / 1e6
    sys.stdout.write(f"{len(files)} files, {size:.1f} MB, in {folder}\n")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Make the sample scan.")
    arguments.add_argument("--to", type=Path, default=Path(__file__).parent, metavar="DIR")
    make(arguments.parse_args().to)
