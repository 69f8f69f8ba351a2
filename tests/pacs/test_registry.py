from pathlib import Path

import pytest

from labkit.errors import InputError
from labkit.pacs.dicomweb import DicomWebArchive
from labkit.pacs.dimse import DimseArchive
from labkit.pacs.query import query_from, query_in, query_of
from labkit.pacs.registry import connect, registered_pacs

DIMSE = "host: pacs.example, port: 104, ae_title: HOSPITAL"


def write(lab: Path, text: str) -> None:
    (lab / "pacs.yaml").write_text(text)


def test_one_pacs_by_two_ways(lab: Path) -> None:
    both = f"dicomweb: {{url: 'https://pacs.example/dicom-web'}}, dimse: {{{DIMSE}}}"
    write(lab, f"a: {{{both}}}\nb: {{{both}, prefer: dimse}}")
    assert isinstance(connect("a"), DicomWebArchive)
    assert isinstance(connect("a", "dimse"), DimseArchive)
    assert isinstance(connect("b"), DimseArchive)
    assert registered_pacs()["b"].ways == ("dimse", "dicomweb")


def test_names_and_ways_that_are_not_there(lab: Path) -> None:
    with pytest.raises(InputError, match=r"an entry in pacs\.yaml"):
        connect("a")
    write(lab, f"a: {{dimse: {{{DIMSE}}}}}")
    with pytest.raises(InputError, match="one of a"):
        connect("b")
    with pytest.raises(InputError, match="a has no dicomweb"):
        connect("a", "dicomweb")


def test_a_secret_that_others_can_read(lab: Path) -> None:
    write(lab, "a: {dicomweb: {url: 'https://pacs.example', user: u, secret_file: word}}")
    with pytest.raises(InputError, match="word cannot be read"):
        connect("a")
    (lab / "word").write_text("the-word")
    (lab / "word").chmod(0o644)
    with pytest.raises(InputError, match="can be read by others") as refused:
        connect("a")
    assert "the-word" not in str(refused.value)
    (lab / "word").chmod(0o600)
    connect("a")
    for text in ("", "two\nlines"):
        (lab / "word").write_text(text)
        with pytest.raises(InputError, match="one of several lines"):
            connect("a")


def test_a_secret_variable_that_is_empty(lab: Path) -> None:
    write(lab, "a: {dicomweb: {url: 'https://pacs.example', secret_variable: NO_SUCH_SECRET}}")
    with pytest.raises(InputError, match="NO_SUCH_SECRET is empty"):
        connect("a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a list", "cannot be read"),
        ("a: [", "cannot be read"),
        ("a: {}", "neither dimse nor dicomweb"),
        (f"a: {{dimse: {{{DIMSE}, word: secret}}}}", "a PACS's dimse.word"),
        ("a: {dimse: {host: h, port: 104, ae_title: LONGER_THAN_SIXTEEN}}", "1 to 16 signs"),
        (f"a: {{dimse: {{{DIMSE}, cert_file: c}}}}", "go together"),
        (f"a: {{dimse: {{{DIMSE}, ca_file: c}}}}", "with tls: true only"),
        (f"a: {{dimse: {{{DIMSE}, tls: true, retrieve: move}}}}", "the PACS calls back"),
        ("a: {dicomweb: {url: 'https://u:word@pacs.example'}}", "dicomweb.url"),
        ("a: {dicomweb: {url: 'https://pacs.example', user: u}}", "a user needs"),
        (
            "a: {dicomweb: {url: 'http://pacs.example', user: u, secret_file: w}}",
            "over https only",
        ),
        (
            "a: {dicomweb: {url: 'http://localhost.example', user: u, secret_file: w}}",
            "over https only",
        ),
    ],
)
def test_entries_that_are_none(lab: Path, text: str, words: str) -> None:
    write(lab, text)
    with pytest.raises(InputError, match=words) as refused:
        registered_pacs()
    assert "word@" not in str(refused.value)
    assert refused.value.__context__ is None  # a parser's own words quote the file


def test_a_query_goes_to_its_levels() -> None:
    query = query_of(["AccessionNumber=A1", "Modality=CT", "SeriesNumber=2"])
    assert query.study == {"AccessionNumber": "A1"}
    assert query.series == {"Modality": "CT", "SeriesNumber": "2"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["Modality=CT"],
        ["PatientID=*"],
        ["PatientID="],
        ["DOE JOHN"],
        ["DoeJohn=1"],
        ["PatientID=A\\B"],
        ["PatientID=A\nB"],
        ["PatientID=A", "SeriesNumber=first"],
    ],
)
def test_queries_that_are_none(words: list[str]) -> None:
    with pytest.raises(InputError, match="AccessionNumber=A1") as refused:
        query_of(words)
    assert "DOE" not in str(refused.value).upper()


def test_a_query_from_a_file_keeps_its_zeros(tmp_path: Path) -> None:
    path = tmp_path / "query.yaml"
    path.write_text("PatientID: 007\nStudyDate: 20260101-20260131\n")
    assert query_in(str(path)).study == {"PatientID": "007", "StudyDate": "20260101-20260131"}
    path.write_text("- PatientID")
    with pytest.raises(InputError, match="no table of keys"):
        query_in(str(path))
    with pytest.raises(InputError, match="cannot be read"):
        query_in(str(tmp_path / "nosuch"))


def test_a_value_that_is_no_word() -> None:
    with pytest.raises(InputError, match="a value of PatientID that cannot be one"):
        query_from({"PatientID": ["A"]})
