from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import FileDataset

from labkit.pacs.query import Query, query_of
from tests.conftest import SAMPLE
from tests.pacs.orthanc import PASSWORD, Orthanc, orthanc, register

WAYS = ("web", "get", "move")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A real PACS for all tests; `pacs` empties it."""
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab's folder of its own, with the PACS's password in the environment."""
    home = tmp_path / "lab"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("LABKIT_HOME", str(home))
    monkeypatch.setenv("PACS_SECRET", PASSWORD)
    return home


@pytest.fixture
def pacs(server: Orthanc, lab: Path) -> Orthanc:
    """An empty PACS, registered as ``web``, ``get`` and ``move``: once for each way."""
    server.forget()
    register(
        lab,
        web={"dicomweb": server.dicomweb()},
        get={"dimse": server.dimse()},
        move={"dimse": server.dimse(retrieve="move")},
    )
    return server


@dataclass(frozen=True)
class Study:
    """Some slices of the sample, as files and as a PACS is asked for them."""

    folder: Path
    query: Query
    patient_name: str
    files: int


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Five slices of the sample."""
    folder = tmp_path / "slices"
    folder.mkdir()
    taken = sorted(SAMPLE.iterdir())[50:55]
    for path in taken:
        (folder / path.name).write_bytes(path.read_bytes())
    head = pydicom.dcmread(taken[0], stop_before_pixels=True)
    query = query_of([f"PatientID={head.PatientID}"])
    return Study(folder, query, str(head.PatientName), len(taken))


def datasets_in(folder: Path) -> dict[str, FileDataset]:
    """What lies in a folder, by SOP Instance UID."""
    found = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    return {str(one.SOPInstanceUID): one for one in found}


def rename(one: FileDataset, sop_instance_uid: str) -> None:
    """Make an instance of its own of a copy."""
    one.SOPInstanceUID = sop_instance_uid
    one.file_meta.MediaStorageSOPInstanceUID = uid.UID(sop_instance_uid)
