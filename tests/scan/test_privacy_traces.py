import base64
import gzip
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from labkit.case import Case, Order
from labkit.scan.privacy import Identifier, identifiers_of, traces_in, traces_of
from tests.acceptance.conftest import Lab
from tests.scan import identified

NAME, NUMBER = Identifier("name", "Müller"), Identifier("number", "MRN-4711-0815")
DATE, UID = Identifier("date", "19570312"), Identifier("UID", f"{identified.ROOT}.1.1")


@pytest.fixture(scope="module")
def series() -> list[Dataset]:
    return identified.identified_series()


def _kinds(content: bytes, *identifiers: Identifier) -> list[str]:
    return [trace.kind for trace in traces_in(identifiers, content, "log")]


def test_the_scan_itself_says_what_to_look_for(series: list[Dataset], tmp_path: Path) -> None:
    source = identified.write_series(tmp_path, series)
    found = {(one.kind, one.text) for one in identifiers_of(series, source)}
    for expected in (
        *(("name", "Müller"), ("name", "Jürgen"), ("name", "Zuweiser"), ("name", "Oberärztin")),
        *(("number", "MRN-4711-0815"), ("number", "ACC778899"), ("number", "SN-55667788")),
        *(("place", "Kantonsspital Überall"), ("date", "19570312"), ("date", "20240229")),
        *(("UID", f"{identified.ROOT}.1"), ("UID", f"{identified.ROOT}.2")),
        *(("source", "Mueller"), ("source", "Mueller_Juergen_4711"), ("source", "Juergen_3")),
    ):
        assert expected in found
    assert not any(text.casefold() in ("ct", "m", "dicom", "series") for _, text in found)
    assert "Müller" not in repr(identifiers_of(series))


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "gzip": gzip.compress,
    "base64": lambda text: json.dumps({"image": base64.b64encode(text * 3).decode()}).encode(),
    "zlib in a PDF": lambda text: b"%PDF-1.7 stream\n" + zlib.compress(text) + b"\nendstream",
    "NRRD": lambda text: b"NRRD0005\nencoding: gzip\n\n" + gzip.compress(text),
}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("identifier", [NAME, NUMBER, DATE, UID], ids=lambda one: one.kind)
def test_it_is_found_however_it_is_written(
    packing: str, encoding: str, identifier: Identifier
) -> None:
    content = PACKED[packing](f"before {identifier.text.upper()} after".encode(encoding))
    assert _kinds(content, identifier) == [identifier.kind]


@pytest.mark.parametrize(
    "text", ["born 12.03.1957", "1957-03-12T00:00", "3 / 12.3.1957", "03/12/1957"]
)
def test_dates_are_found_as_people_write_them(text: str) -> None:
    assert _kinds(text.encode(), DATE) == ["date"]


def test_escapes_of_json_and_addresses_are_seen_through() -> None:
    assert _kinds(json.dumps({"who": "Herr Müller"}).encode(), NAME) == ["name"]
    assert _kinds(b"file:///scans/M%C3%BCller/1", NAME) == ["name"]


def test_names_of_files_and_members_are_searched(tmp_path: Path) -> None:
    (tmp_path / "Scan Müller").mkdir()
    with zipfile.ZipFile(tmp_path / "part.3mf", "w") as archive:
        archive.writestr("MRN-4711-0815.model", "")
    found = traces_of([NAME, NUMBER], tmp_path)
    assert {(one.kind, one.file, one.place) for one in found} >= {
        ("name", "…", "name"),
        ("number", "part.3mf", "name in zip"),
    }


def test_parts_of_other_words_and_chance_hits_in_grey_values_do_not_count() -> None:
    assert _kinds(b"the metaphor was strange", Identifier("name", "Tap")) == []
    grey = bytes(range(256)) * 4 + b"\x03\x10Lee\x02\x11" + bytes(64)
    assert _kinds(grey, Identifier("name", "Lee")) == []
    assert _kinds(b"Patient: Lee, Kim", Identifier("name", "Lee")) == ["name"]
    assert _kinds(f"{UID.text}.27".encode(), UID) == []


def test_nothing_of_the_person_leaves_the_import(
    series: list[Dataset], tmp_path: Path, order: Order
) -> None:
    """The first stage as people start it: case folder, lab's folder and what is printed."""
    (tmp_path / "inbox").mkdir()
    source = identified.write_series(tmp_path / "inbox", series)
    lab = Lab(tmp_path / "home", tmp_path / "cases")
    case = Case.create(lab.cases / "case", order).root
    done = lab.labkit("run", case, "01_scan", "--source", source)
    assert (case / "01_scan" / "volume.nrrd").is_file(), done.errors
    identifiers = identifiers_of(series, source)
    for folder in (lab.home, lab.cases):
        assert traces_of(identifiers, folder) == []
    assert traces_in(identifiers, (done.output + done.errors).encode(), "printed") == []
