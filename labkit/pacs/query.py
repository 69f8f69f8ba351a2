"""What is asked of a PACS, and the rows that it answers with."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from labkit.errors import InputError

STUDY_KEYS = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "AccessionNumber",
    "StudyDate",
    "StudyID",
    "StudyDescription",
    "ModalitiesInStudy",
    "StudyInstanceUID",
)
SERIES_KEYS = (
    "SeriesInstanceUID",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "BodyPartExamined",
)
MUST_MATCH = ("PatientID", "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID", "Modality")
"""Keys that every PACS must match (DICOM PS3.4 C.6.2.1, unique and required keys).

One that ignores them answers with other patients' studies.
"""


@dataclass(frozen=True)
class Query:
    """What a study, and the series in it, must fit.

    ``*`` and ``?`` stand for any signs, dates may be ranges (``20260101-20260131``).
    """

    study: Mapping[str, str] = field(repr=False)
    series: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class StudyRow:
    """A study as a person chooses it.  Its repr tells nothing of the patient."""

    study_instance_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    birth_date: str = field(repr=False)
    study_date: str = field(repr=False)
    accession_number: str = field(repr=False)
    description: str = field(repr=False)
    modalities: str
    series: int | None
    instances: int | None


@dataclass(frozen=True)
class SeriesRow:
    """A series of a study.  Its repr tells nothing of the patient."""

    study_instance_uid: str = field(repr=False)
    series_instance_uid: str = field(repr=False)
    modality: str
    number: int | None
    description: str = field(repr=False)
    body_part: str
    instances: int | None


STUDY_RETURN = (
    *STUDY_KEYS,
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
SERIES_RETURN = (*SERIES_KEYS, "NumberOfSeriesRelatedInstances")


def query_of(words: Iterable[str]) -> Query:
    """The query that ``KEY=VALUE`` words ask.

    Raises
    ------
    InputError
        A word of another form, an unknown key, a value that cannot be one, or nothing
        that narrows the search to a study.
    """
    asked: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise _wrong_query(f"a word without = after {len(asked)} keys")
        asked[key] = value
    return query_from(asked)


def query_in(place: str) -> Query:
    """The query in a YAML or JSON file of ``KEY: VALUE``; ``-`` reads it from stdin.

    Raises
    ------
    InputError
        It cannot be read, or is no query.
    """
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
        content = yaml.load(text, Loader=yaml.BaseLoader)  # words only: 007 stays 007
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong_query(f"a query file that cannot be read ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise _wrong_query("a query file that is no table of keys")
    return query_from(content)


def query_from(asked: Mapping[str, object]) -> Query:
    """The query of these keys and values.

    Raises
    ------
    InputError
        As for `query_of`.
    """
    for key, value in asked.items():
        if key not in STUDY_KEYS + SERIES_KEYS:
            raise _wrong_query("an unknown key")
        if not isinstance(value, str) or not value.isprintable() or "\\" in value:
            raise _wrong_query(f"a value of {key} that cannot be one")
        if key == "SeriesNumber" and not value.strip().lstrip("-").isdecimal():
            raise _wrong_query("a SeriesNumber that is no whole number")
    told = {key: value.strip() for key, value in asked.items() if isinstance(value, str)}
    if not any(value.strip("*?") for key, value in told.items() if key in STUDY_KEYS):
        raise _wrong_query("nothing that narrows the search to a study")
    return Query(
        study={key: value for key, value in told.items() if key in STUDY_KEYS},
        series={key: value for key, value in told.items() if key in SERIES_KEYS},
    )


def study_row(found: Dataset) -> StudyRow:
    """The row of a study that was found."""
    return StudyRow(
        study_instance_uid=text(found, "StudyInstanceUID"),
        patient_id=text(found, "PatientID"),
        patient_name=text(found, "PatientName"),
        birth_date=text(found, "PatientBirthDate"),
        study_date=text(found, "StudyDate"),
        accession_number=text(found, "AccessionNumber"),
        description=text(found, "StudyDescription"),
        modalities=text(found, "ModalitiesInStudy"),
        series=_count(found, "NumberOfStudyRelatedSeries"),
        instances=_count(found, "NumberOfStudyRelatedInstances"),
    )


def series_row(found: Dataset, study_uid: str) -> SeriesRow:
    """The row of a series that was found in a study."""
    return SeriesRow(
        study_instance_uid=study_uid,
        series_instance_uid=text(found, "SeriesInstanceUID"),
        modality=text(found, "Modality"),
        number=_count(found, "SeriesNumber"),
        description=text(found, "SeriesDescription"),
        body_part=text(found, "BodyPartExamined"),
        instances=_count(found, "NumberOfSeriesRelatedInstances"),
    )


def text(found: Dataset, keyword: str) -> str:
    """A value as words; several with a comma between."""
    value = found.get(keyword)
    if value is None:
        return ""
    values = value if isinstance(value, MultiValue) else [value]
    return ", ".join(str(one) for one in values).strip()


def unanswered(found: Dataset, keys: Mapping[str, str]) -> str:
    """The key that an answer contradicts; empty if it fits."""
    for key in MUST_MATCH:
        wanted = keys.get(key, "")
        exact = wanted and not set(wanted) & set("*?")
        if exact and text(found, key).casefold() != wanted.casefold():
            return key
    return ""


def _count(found: Dataset, keyword: str) -> int | None:
    try:
        return int(text(found, keyword))
    except ValueError:
        return None


def _wrong_query(found: str) -> InputError:
    return InputError(
        found,
        expected="KEY=VALUE with " + ", ".join(STUDY_KEYS + SERIES_KEYS),
        where="the query to the PACS",
        fix="for example AccessionNumber=A1 Modality=CT",
    )
