"""``labkit pacs`` and a PACS as a source, as people type it."""

import io
import json
import re
from pathlib import Path
from typing import Any

import filelock
import pydicom
import pytest

from labkit.errors import InputError
from labkit.files import content_digest
from labkit.pacs.sources import fetched
from tests.conftest import PROJECT, SAMPLE
from tests.pacs.conftest import Study
from tests.pacs.orthanc import Orthanc


@pytest.fixture
def asked(study: Study) -> list[str]:
    return [f"{key}={value}" for key, value in study.query.study.items()]


@pytest.mark.parametrize("way", ["web", "get"])
def test_send_find_fetch(
    pacs: Orthanc, typed: Any, study: Study, asked: list[str], tmp_path: Path, way: str
) -> None:
    code, out, err = typed("pacs", "send", way, study.folder)
    assert (code, out) == (0, f"{way}: 5 instances stored\n")
    assert "5 instances (5 × CT Image Storage) of 1 patient(s)" in err
    assert "sent 5 of 5" in err
    code, out, _ = typed("pacs", "find", way, *asked)
    assert code == 0
    assert study.patient_name in out
    code, out, _ = typed("pacs", "find", way, *asked, "--series", "--json")
    (row,) = json.loads(out)["series"]
    assert (row["modality"], row["instances"]) == ("CT", 5)
    code, out, err = typed("pacs", "fetch", way, *asked, "--to", tmp_path / "got", "--json")
    assert (code, json.loads(out)["instances"]) == (0, 5)
    assert "fetched 5 of 5" in err
    assert study.patient_name not in out + err


def test_the_examples_of_the_documentation_find_the_sample(
    pacs: Orthanc, typed: Any, tmp_path: Path
) -> None:
    text = (PROJECT / "docs" / "pacs.md").read_text()
    (find,) = re.findall("^labkit (pacs find hospital [A-Z].*)$", text, re.MULTILINE)
    (fetch,) = re.findall("^labkit (pacs fetch hospital [A-Z].*) --to .*$", text, re.MULTILINE)
    (source,) = re.findall("^labkit run .* --source '(pacs:hospital.*)'$", text, re.MULTILINE)
    assert typed("pacs", "send", "web", SAMPLE)[0] == 0
    code, out, _ = typed(*find.replace("hospital", "web").split(), "--json")
    rows = json.loads(out)["series"]
    assert code == 0 and {row["modality"] for row in rows} == {"CT"}
    images = len(list(SAMPLE.iterdir()))
    assert sum(row["instances"] for row in rows) == images
    assert typed(*fetch.replace("hospital", "web").split(), "--to", tmp_path / "got")[0] == 0
    assert len(list((tmp_path / "got").iterdir())) == images
    with fetched(source.replace("hospital", "web")) as folder:
        assert len(list(folder.iterdir())) == images


def test_a_lab_without_a_pacs_learns_where_one_is_entered(typed: Any, lab_home: Path) -> None:
    code, _, err = typed("pacs", "list")
    assert code == 0
    assert str(lab_home / "pacs.yaml") in err
    code, _, err = typed("pacs")
    assert code == 2
    assert len(err.splitlines()) == 1 and "Missing command" in err


def test_list_and_echo(pacs: Orthanc, typed: Any) -> None:
    code, out, _ = typed("pacs", "list", "--json")
    rows = json.loads(out)["pacs"]
    assert [(row["name"], row["by"]) for row in rows] == [
        ("get", "dimse"),
        ("move", "dimse"),
        ("web", "dicomweb"),
    ]
    for row in rows:
        code, out, _ = typed("pacs", "echo", row["name"])
        assert code == 0
        assert "answers" in out


def test_a_query_that_no_other_user_sees(
    pacs: Orthanc, typed: Any, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("pacs", "send", "web", study.folder)
    words = "".join(f"{key}: {value}\n" for key, value in study.query.study.items())
    monkeypatch.setattr("sys.stdin", io.StringIO(words))
    code, out, _ = typed("pacs", "find", "web", "--query-file", "-")
    assert code == 0
    assert study.patient_name in out


def test_exit_codes(pacs: Orthanc, typed: Any, tmp_path: Path) -> None:
    assert typed("pacs", "find", "web", "PatientID=NOBODY-1")[0] == 0
    code, _, err = typed("pacs", "fetch", "web", "PatientID=NOBODY-1", "--to", tmp_path / "got")
    assert code == 2
    assert "no studies that fit" in err
    code, out, _ = typed("pacs", "echo", "nosuch", "--json")
    assert code == 2
    assert json.loads(out)["error"]["type"] == "InputError"
    assert typed("pacs", "find", "web", "Modality=CT")[0] == 2
    assert typed("pacs", "find", "web", "PatientID=1", "--query-file", "-")[0] == 2
    pacs_file = tmp_path / "lab" / "pacs.yaml"
    pacs_file.write_text(pacs_file.read_text().replace("ORTHANC", "SOMEBODY"))
    assert typed("pacs", "echo", "get")[0] == 3


def test_send_takes_dicom_files_only(pacs: Orthanc, typed: Any, study: Study) -> None:
    (study.folder / "letter.txt").write_text("Dear colleague")
    code, _, err = typed("pacs", "send", "web", study.folder / "letter.txt")
    assert code == 2
    assert "letter" not in err
    code, _, err = typed("pacs", "send", "web", study.folder)
    assert code == 0
    assert "1 files that are not DICOM are left out" in err


def test_a_source_is_fetched_into_the_inbox_and_removed(
    pacs: Orthanc, typed: Any, lab: Path, asked: list[str]
) -> None:
    typed("pacs", "send", "web", SAMPLE)
    source = f"pacs:web?{asked[0]}&Modality=CT"
    with fetched(source) as folder:
        first = content_digest(folder)
        assert folder.is_relative_to(lab / "inbox")
        assert len(list(folder.iterdir())) == len(list(SAMPLE.iterdir()))
    assert list((lab / "inbox").iterdir()) == []
    with fetched(source) as folder:
        assert content_digest(folder) == first
    with fetched(str(SAMPLE)) as folder:
        assert folder == SAMPLE


def test_what_a_killed_run_left_is_removed_and_a_living_one_is_not(
    pacs: Orthanc, typed: Any, lab: Path, study: Study, asked: list[str]
) -> None:
    typed("pacs", "send", "web", study.folder)
    for name in ("dead", "living"):
        (lab / "inbox" / name).mkdir(parents=True)
        (lab / "inbox" / f"{name}.lock").touch()
    with filelock.FileLock(lab / "inbox" / "living.lock"), fetched(f"pacs:web?{asked[0]}"):
        left = {path.name for path in (lab / "inbox").iterdir()}
    assert {"living", "living.lock"} < left
    assert not {"dead", "dead.lock"} & left


@pytest.mark.parametrize("source", ["pacs:web", "pacs:web?", "pacs:web?DOE", "pacs:?PatientID=1"])
def test_sources_that_are_none(pacs: Orthanc, source: str) -> None:
    with pytest.raises(InputError) as refused, fetched(source):
        pass
    assert "DOE" not in str(refused.value)


def test_a_case_runs_from_a_pacs_and_tells_nothing_of_the_patient(
    pacs: Orthanc, typed: Any, lab: Path, tmp_path: Path
) -> None:
    (tmp_path / "scan").mkdir()
    for path in sorted(SAMPLE.iterdir()):
        one = pydicom.dcmread(path)
        one.PatientID, one.PatientName, one.AccessionNumber = "MRN4711", "DOE^JANE", "ACC0815"
        one.save_as(tmp_path / "scan" / path.name)
    typed("pacs", "send", "web", tmp_path / "scan")
    case = tmp_path / "case"
    typed("new", case, "--order", PROJECT / "sample_data" / "order.yaml")
    run = ["run", case, "01", "--source", "pacs:web?AccessionNumber=ACC0815"]
    code, out, err = typed(*run)
    assert code == 0, err
    assert "01_scan: fetched 105 of 105" in err
    assert list((lab / "inbox").iterdir()) == []
    written = {path.name: path.read_bytes() for path in case.rglob("*") if path.is_file()}
    for word in ("MRN4711", "DOE^JANE", "ACC0815", str(one.StudyInstanceUID)):
        assert word not in out + err
        assert not [name for name, content in written.items() if word.encode() in content]
    assert "01_scan: holds" in typed(*run)[2]
