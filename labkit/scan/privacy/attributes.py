"""Which attributes of a DICOM object are kept, and which name somebody."""

from functools import cache

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom.tag import BaseTag

TABLE = "2026c"
"""Edition of DICOM PS3.15 whose Table E.1-1 is applied."""

DICOM_ROOT = "1.2.840.10008."
"""UIDs below it are the standard's own and name nobody."""

_TEXT_KEPT = """
AlgorithmName AlgorithmVersion CodeMeaning CodeValue CodingSchemeDesignator CodingSchemeVersion
ConvolutionKernel DimensionDescriptionLabel FilterType ImagedNucleus LongCodeValue LUTExplanation
LUTLabel MIMETypeOfEncapsulatedDocument Manufacturer ManufacturerModelName PulseSequenceName
ReceiveCoilName RescaleType ResonantNucleus SegmentAlgorithmName SegmentLabel SoftwareVersions
StackID TransmitCoilName
"""
_BYTES_KEPT = """
BluePaletteColorLookupTableData DoubleFloatPixelData EncapsulatedDocument FloatPixelData
GreenPaletteColorLookupTableData LUTData PixelData RedPaletteColorLookupTableData
"""
_SEQUENCES_MAPPED = """
ReferencedImageSequence ReferencedPerformedProcedureStepSequence ReferencedStudySequence
SourceImageSequence
"""
_STANDARD_SCHEMES = """
ACR C4 DCM FMA HGNC I10 I10P I9C IBSI ICD10 ICDO3 ISO3166_1 ISO639_2 LN MSH NCIt NDC NEU NIFSTD
PUBCHEM_CID RADELEMENT RADLEX RFC3066 RXNORM SCT SNM3 SRT UBERON UCUM UMLS UNS
"""
_NUMBERS = """
AccessionNumber AdmissionID DetectorID DeviceSerialNumber FillerOrderNumberImagingServiceRequest
MedicalRecordLocator OtherPatientIDs PatientID PatientTelephoneNumbers PerformedProcedureStepID
PlacerOrderNumberImagingServiceRequest RequestedProcedureID ScheduledProcedureStepID
ServiceEpisodeID StationName StudyID
"""
_PLACES = """
CurrentPatientLocation InstitutionAddress InstitutionName InstitutionalDepartmentName
IssuerOfPatientID PatientAddress PatientInstitutionResidence RequestingService
"""
_COMMON_WORDS = """
anonym anonymized anonymous case data demo dicom dicomdir export file files folder image images
img mask none number patient patients phantom removed sample scan scans series slice slices source
study test tmp unknown unnamed volume
"""

TEXT_KEPT = frozenset(_TEXT_KEPT.split())
"""Text without which an image, a segment or a code means nothing; the patient's names are
looked for in it."""
BYTES_KEPT = frozenset(_BYTES_KEPT.split())
"""Binary values that are pixels, look-up tables or the model itself."""
SEQUENCES_MAPPED = frozenset(_SEQUENCES_MAPPED.split())
"""Sequences that the table lets go; they hold nothing but UIDs, which are mapped."""
STANDARD_SCHEMES = frozenset(_STANDARD_SCHEMES.split())
"""Coding schemes that no hospital made (PS3.16 Table 8-1)."""
NUMBERS = frozenset(_NUMBERS.split())
"""Attributes that hold a number of the patient, the order or the device."""
PLACES = frozenset(_PLACES.split())
"""Attributes that hold a place."""
COMMON_WORDS = frozenset(_COMMON_WORDS.split())
"""Words that name nobody, wherever they stand."""

_ACTIONS = {
    "D_TAGS": "dummy",
    "Z_TAGS": "empty",
    "X_TAGS": "remove",
    "U_TAGS": "map",
    "Z_D_TAGS": "dummy",
    "X_Z_TAGS": "empty",
    "X_D_TAGS": "dummy",
    "X_Z_D_TAGS": "dummy",
    "X_Z_U_STAR_TAGS": "map",
}


def action_on(tag: BaseTag) -> str:
    """What PS3.15 Table E.1-1 asks for, read so that the object stays whole.

    remove, empty, dummy (a value that says nothing), map (a pseudonym), or keep where
    the table does not name the attribute.
    """
    return _table().get((tag.group, tag.element), "keep")


@cache
def _table() -> dict[tuple[int, int], str]:
    table = dicom_anonymization_database_selector(f"dicomfields_{TABLE}")
    return {
        tag: action
        for category, action in _ACTIONS.items()
        for tag in table[category]
        if len(tag) == 2
    }
