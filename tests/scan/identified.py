"""A scan full of identifiers: the sample's slices, under the name of a patient made up here."""

import copy
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from highdicom.legacy import LegacyConvertedEnhancedCTImage
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedSTLStorage, ExplicitVRLittleEndian, MRImageStorage

from tests.conftest import SAMPLE

ROOT = "1.3.6.1.4.1.99999.7"
PATIENT = "Müller^Jürgen^Karl"
FOLDER = "Mueller_Juergen_4711"
SECRETS = (
    *("Müller", "Jürgen", "MÜLLER", "MRN-4711-0815", "ACC778899", "19570312", "1957-03-12"),
    *("12.03.1957", "20240229", "29.02.2024", "Kantonsspital", "Überall", "Oberärztin"),
    *("Zuweiser", "Hausarzt", "SN-55667788", "CT-KSB-3", ROOT, "Bahnhofstrasse"),
)
"""What must be nowhere afterwards; not taken from the code under test."""


def identified(dataset: Dataset, number: int) -> Dataset:
    """The slice with names, numbers, dates, places and private notes in all corners."""
    dataset = copy.deepcopy(dataset)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = PATIENT
    dataset.PatientID = "MRN-4711-0815"
    dataset.PatientBirthDate = "19570312"
    dataset.PatientAge = "066Y"
    dataset.AccessionNumber = "ACC778899"
    dataset.InstitutionName = "Kantonsspital Überall"
    dataset.InstitutionAddress = "Bahnhofstrasse 1"
    dataset.ReferringPhysicianName = "Zuweiser^Hans"
    dataset.OperatorsName = "Oberärztin^Eva"
    dataset.StationName = "CT-KSB-3"
    dataset.DeviceSerialNumber = "SN-55667788"
    dataset.StudyID = "ACC778899"
    dataset.StudyDescription = "Unterarm Müller"
    dataset.SeriesDescription = "für Hausarzt"
    dataset.ProtocolName = "Müller privat"
    dataset.ImageComments = "Sturz am 29.02.2024, MRN-4711-0815"
    dataset.DerivationDescription = "Müller"
    for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, name, "20240229")
    dataset.AcquisitionDateTime = "20240229101112.345"
    dataset.StudyInstanceUID = f"{ROOT}.1"
    dataset.SeriesInstanceUID = f"{ROOT}.1.1"
    dataset.FrameOfReferenceUID = f"{ROOT}.2"
    dataset.SOPInstanceUID = f"{ROOT}.1.1.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.SourceApplicationEntityTitle = "KSB_MUELLER"
    dataset.SoftwareVersions = "as for Müller"
    request = Dataset()
    request.RequestedProcedureDescription = "Hausarzt Müller"
    request.ScheduledProcedureStepID = "ACC778899"
    dataset.RequestAttributesSequence = Sequence([request])
    reference = Dataset()
    reference.ReferencedSOPClassUID = dataset.SOPClassUID
    reference.ReferencedSOPInstanceUID = f"{ROOT}.1.1.1"
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121311", "DCM"
    purpose.CodeMeaning = "Localizer"
    reference.PurposeOfReferenceCodeSequence = Sequence([purpose])
    dataset.ReferencedImageSequence = Sequence([reference])
    procedure = Dataset()
    procedure.CodeValue, procedure.CodingSchemeDesignator = "KSB-Hausarzt", "99KSB"
    procedure.CodeMeaning = "Zuweiser Hans"
    dataset.ProcedureCodeSequence = Sequence([procedure])
    block = dataset.private_block(0x0029, "KANTONSSPITAL", create=True)
    block.add_new(0x10, "LO", "Müller")
    for tag, vr, value in (
        *((0x60000010, "US", 8), (0x60000011, "US", 8), (0x60000022, "LO", "Jürgen")),
        *((0x60000040, "CS", "G"), (0x60000050, "SS", [1, 1]), (0x60000100, "US", 1)),
        *((0x60000102, "US", 0), (0x60003000, "OW", bytes(8))),
    ):
        dataset.add_new(tag, vr, value)
    dataset.add_new(0xFFFCFFFC, "OB", "Müller".encode("latin-1"))
    dataset.preamble = b"MRN-4711-0815".ljust(128, b"\0")
    return dataset


def identified_series(count: int = 6) -> list[Dataset]:
    """Neighbouring slices of one series, uncompressed."""
    slices = [pydicom.dcmread(path) for path in sorted(SAMPLE.glob("*.dcm"))]
    stack = [one for one in slices if "LOCALIZER" not in one.ImageType]
    stack.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    for one in stack[:count]:
        one.decompress(generate_instance_uid=False)
    return [identified(one, number) for number, one in enumerate(stack[:count], 1)]


def write_series(folder: Path, datasets: list[Dataset]) -> Path:
    """The slices in a folder and in files that are called after the patient."""
    folder = folder / FOLDER
    folder.mkdir()
    for number, dataset in enumerate(datasets, 1):
        dataset.save_as(folder / f"Juergen_{number}.dcm", enforce_file_format=True)
    return folder


def segmentation(datasets: list[Dataset]) -> Dataset:
    """A DICOM SEG of the slices, made by highdicom."""
    described = highdicom.seg.SegmentDescription(
        1,
        "Radius Müller",
        codes.SCT.Bone,
        codes.SCT.Bone,
        highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )
    mask = np.zeros((len(datasets), datasets[0].Rows, datasets[0].Columns), np.uint8)
    mask[:, 50:60, 50:70] = 1
    made = highdicom.seg.Segmentation(
        datasets,
        mask,
        "BINARY",
        [described],
        f"{ROOT}.1.2",
        2,
        f"{ROOT}.1.2.1",
        1,
        "maker",
        "model",
        "1",
        "SN-55667788",
        content_creator_name="Oberärztin^Eva",
        content_description="Hausarzt",
    )
    return again(made)


def enhanced(datasets: list[Dataset]) -> Dataset:
    """The slices as one enhanced multi-frame CT, made by highdicom."""
    datasets = copy.deepcopy(datasets)
    for one in datasets:
        del one.ReferencedImageSequence  # highdicom forgets to list them as evidence
    made = LegacyConvertedEnhancedCTImage(datasets, f"{ROOT}.1.3", 3, f"{ROOT}.1.3.1", 1)
    del made.ReferencedSeriesSequence  # and lists what it does not refer to
    return again(made)


def magnetic_resonance(dataset: Dataset) -> Dataset:
    """A slice dressed as MR."""
    made = copy.deepcopy(dataset)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = MRImageStorage
    made.Modality, made.ImageType = "MR", ["ORIGINAL", "PRIMARY", "OTHER"]
    for name in ("KVP", "RescaleSlope", "RescaleIntercept", "ConvolutionKernel"):
        delattr(made, name)
    made.ScanningSequence, made.SequenceVariant, made.ScanOptions = "SE", "NONE", ""
    made.MRAcquisitionType, made.EchoTime, made.EchoTrainLength = "2D", "10", "1"
    made.RepetitionTime, made.ImagedNucleus = "500", "1H"
    made.ReceiveCoilName = "Hausarzt Müller"
    return made


def model(dataset: Dataset) -> Dataset:
    """An encapsulated STL of one triangle, its 80 bytes of header used for the patient's name."""
    made = Dataset()
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        setattr(made, name, dataset[name].value)
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID, made.SOPInstanceUID = EncapsulatedSTLStorage, f"{ROOT}.1.4.1"
    made.Modality, made.DocumentTitle = "M3D", "Radius Müller"
    made.MIMETypeOfEncapsulatedDocument = "model/stl"
    document = "Müller MRN-4711-0815".encode().ljust(80) + (1).to_bytes(4, "little") + bytes(50)
    made.EncapsulatedDocument = document
    made.file_meta = copy.deepcopy(dataset.file_meta)
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def again(dataset: Dataset) -> Dataset:
    """The dataset as a file would give it back."""
    stream = DicomBytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    stream.seek(0)
    return pydicom.dcmread(stream)
