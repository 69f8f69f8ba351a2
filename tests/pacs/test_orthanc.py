"""Everything that a lab does with its PACS, with a real one: Orthanc."""

import logging
import signal
from pathlib import Path

import pydicom
import pytest
from pydicom import uid

from labkit.errors import InputError, PacsError
from labkit.pacs.query import query_of
from labkit.pacs.registry import connect
from labkit.pacs.retrieval import Fetched, fetch, find, find_series
from labkit.pacs.sending import send, shipment_of
from labkit.scan import choose, discover, read_volume
from labkit.volume import Volume
from tests.conftest import SAMPLE
from tests.pacs.conftest import WAYS, Study, datasets_in, rename
from tests.pacs.orthanc import Orthanc, free_port, register


@pytest.mark.parametrize("way", WAYS)
def test_echo(pacs: Orthanc, way: str) -> None:
    connect(way).echo()


@pytest.mark.parametrize("delivered", ["web", "get"])
def test_the_sample_comes_back_voxel_by_voxel_by_every_way(
    pacs: Orthanc, tmp_path: Path, sample_volume: Volume, delivered: str
) -> None:
    send(connect(delivered), shipment_of([SAMPLE]))
    sample = datasets_in(SAMPLE)
    query = query_of(["PatientID=SAMPLE-0001", "Modality=CT"])
    for way in WAYS:
        steps: list[tuple[int, int]] = []
        done = fetch(connect(way), query, tmp_path / way, lambda *at, steps=steps: steps.append(at))
        assert done == Fetched(series=2, instances=len(sample))
        assert steps[-1] == (len(sample), len(sample))
        got = datasets_in(tmp_path / way)
        assert got.keys() == sample.keys()
        for key, one in got.items():
            assert one.file_meta.TransferSyntaxUID == sample[key].file_meta.TransferSyntaxUID
            assert one.PixelData == sample[key].PixelData
        volume = read_volume(choose(discover(tmp_path / way).series))
        assert (volume.voxels == sample_volume.voxels).all()
        assert volume.origin_lps_mm == pytest.approx(sample_volume.origin_lps_mm)
        assert (tmp_path / way).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("way", ["web", "get"])
def test_rows_tell_a_person_who_it_is_and_their_repr_tells_nobody(
    pacs: Orthanc, study: Study, way: str
) -> None:
    send(connect("web"), shipment_of([study.folder]))
    (row,) = find(connect(way), study.query)
    assert find(connect(way), query_of(["PatientName=samp*", "StudyDate=20200101-"])) == [row]
    assert row.patient_name == study.patient_name
    assert (row.modalities, row.series, row.instances) == ("CT", 1, study.files)
    (series,) = find_series(connect(way), study.query, row)
    assert (series.modality, series.instances) == ("CT", study.files)
    for text in (repr(row), repr(series), repr(study.query)):
        assert row.patient_id not in text
        assert row.patient_name not in text
        assert row.study_instance_uid not in text


@pytest.mark.parametrize("way", WAYS)
def test_only_the_series_asked_for_is_fetched(pacs: Orthanc, tmp_path: Path, way: str) -> None:
    send(connect("web"), shipment_of([SAMPLE]))
    scout = query_of(["PatientID=SAMPLE-0001", "SeriesNumber=1"])
    assert fetch(connect(way), scout, tmp_path / "got") == Fetched(series=1, instances=1)


def test_every_kind_of_object_comes_back(pacs: Orthanc, study: Study, tmp_path: Path) -> None:
    kinds = [
        uid.MRImageStorage,
        uid.EnhancedCTImageStorage,
        uid.EnhancedMRImageStorage,
        uid.XRay3DAngiographicImageStorage,
        uid.SecondaryCaptureImageStorage,
        uid.SegmentationStorage,
        uid.EncapsulatedSTLStorage,
    ]
    for number, kind in enumerate(kinds):
        one = pydicom.dcmread(min(study.folder.iterdir()))
        rename(one, f"2.25.7{number}")
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = kind
        one.SeriesInstanceUID = f"2.25.8{number}"
        one.save_as(study.folder / f"{number}.dcm")
    for way in ("web", "get"):
        pacs.forget()
        send(connect(way), shipment_of([study.folder]))
        for back in WAYS:
            fetch(connect(back), study.query, tmp_path / way / back)
            got = datasets_in(tmp_path / way / back).values()
            assert {one.SOPClassUID for one in got} == {*kinds, uid.CTImageStorage}


@pytest.mark.parametrize("way", WAYS)
def test_no_transfer_syntax_is_transcoded(
    pacs: Orthanc, real_data: Path, tmp_path: Path, way: str
) -> None:
    """The real files, of whatever study, made one study: one instance per transfer syntax."""
    folder = tmp_path / "syntaxes"
    folder.mkdir()
    sent: dict[str, str] = {}
    for path in sorted((real_data / "dicom_transfer_syntaxes").rglob("*.dcm")):
        one = pydicom.dcmread(path)
        if one.file_meta.TransferSyntaxUID in sent.values():
            continue
        one.PatientID, one.StudyInstanceUID = "SYNTAX", "2.25.90"
        one.SeriesInstanceUID = "2.25.91"
        rename(one, f"2.25.92{len(sent)}")
        sent[one.SOPInstanceUID] = one.file_meta.TransferSyntaxUID
        one.save_as(folder / f"{len(sent)}.dcm")
    assert len(sent) > 10
    send(connect("web" if way == "web" else "get"), shipment_of([folder]))
    fetch(connect(way), query_of(["PatientID=SYNTAX"]), tmp_path / "got")
    got = datasets_in(tmp_path / "got")
    assert {key: one.file_meta.TransferSyntaxUID for key, one in got.items()} == sent


@pytest.mark.parametrize("way", WAYS)
def test_nothing_found(pacs: Orthanc, tmp_path: Path, way: str) -> None:
    nobody = query_of(["PatientID=NOBODY-1"])
    assert find(connect(way), nobody) == []
    with pytest.raises(InputError, match="no studies that fit PatientID") as refused:
        fetch(connect(way), nobody, tmp_path / "got")
    assert "NOBODY" not in str(refused.value)
    assert not (tmp_path / "got").exists()


def test_several_studies_are_never_fetched_into_one_folder(
    pacs: Orthanc, study: Study, tmp_path: Path
) -> None:
    other = pydicom.dcmread(min(study.folder.iterdir()))
    other.StudyInstanceUID, other.SeriesInstanceUID = "2.25.1", "2.25.2"
    rename(other, "2.25.3")
    other.save_as(study.folder / "other.dcm")
    send(connect("web"), shipment_of([study.folder]))
    with pytest.raises(InputError, match="2 studies"):
        fetch(connect("web"), study.query, tmp_path / "got")


def test_a_folder_that_holds_something_is_left_alone(
    pacs: Orthanc, study: Study, tmp_path: Path
) -> None:
    send(connect("web"), shipment_of([study.folder]))
    with pytest.raises(InputError, match="not empty"):
        fetch(connect("web"), study.query, study.folder)
    assert len(list(study.folder.iterdir())) == study.files


@pytest.mark.parametrize("way", WAYS)
def test_interrupted_it_leaves_nothing_and_can_be_asked_again(
    pacs: Orthanc, study: Study, tmp_path: Path, way: str
) -> None:
    send(connect("web"), shipment_of([study.folder]))

    def interrupt(done: int, _: int) -> None:
        if done == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fetch(connect(way), study.query, tmp_path / "scans" / "got", interrupt)
    assert list((tmp_path / "scans").iterdir()) == []
    done = fetch(connect(way), study.query, tmp_path / "scans" / "got")
    assert done.instances == study.files


@pytest.mark.parametrize("changes", [{"user": "somebody"}, {"secret_variable": "WRONG_SECRET"}])
def test_wrong_password(
    pacs: Orthanc, lab: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    monkeypatch.setenv("WRONG_SECRET", "not-the-word")
    register(lab, web={"dicomweb": pacs.dicomweb(**changes)})
    with pytest.raises(PacsError, match="HTTP 401") as refused:
        connect("web").echo()
    assert "not-the-word" not in str(refused.value)


def test_closed_port(pacs: Orthanc, lab: Path) -> None:
    closed = free_port()
    register(
        lab,
        web={"dicomweb": pacs.dicomweb(url=f"http://127.0.0.1:{closed}/dicom-web")},
        get={"dimse": pacs.dimse(port=closed)},
    )
    with pytest.raises(PacsError, match="ConnectionRefusedError"):
        connect("web").echo()
    with pytest.raises(PacsError, match="Connection refused"):
        connect("get").echo()


def test_wrong_ae_titles(pacs: Orthanc, lab: Path, study: Study, tmp_path: Path) -> None:
    send(connect("get"), shipment_of([study.folder]))
    register(
        lab,
        called={"dimse": pacs.dimse(ae_title="SOMEBODY")},
        own={"dimse": pacs.dimse(own_ae_title="STRANGER")},
        back={"dimse": pacs.dimse(own_ae_title="STRANGER", retrieve="move")},
    )
    with pytest.raises(PacsError, match="Called AE title not recognised"):
        connect("called").echo()
    with pytest.raises(PacsError, match="may not allow this to STRANGER"):
        fetch(connect("own"), study.query, tmp_path / "got")
    with pytest.raises(PacsError, match="knows STRANGER at this machine"):
        fetch(connect("back"), study.query, tmp_path / "got")


def test_own_port_that_is_taken(pacs: Orthanc, lab: Path, study: Study, tmp_path: Path) -> None:
    send(connect("get"), shipment_of([study.folder]))
    taken = pacs.dimse(retrieve="move", own_port=pacs.http_port)
    register(lab, move={"dimse": taken})
    with pytest.raises(PacsError, match="cannot be used"):
        fetch(connect("move"), study.query, tmp_path / "got")


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_the_patient_is_logged(
    pacs: Orthanc, study: Study, tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    send(connect("web" if way == "web" else "get"), shipment_of([study.folder]))
    fetch(connect(way), study.query, tmp_path / "got")
    (row,) = find(connect(way), study.query)
    for word in (row.patient_id, row.patient_name, row.study_instance_uid):
        assert word not in caplog.text


def test_deidentified_files_and_patients_go_to_different_pacs(pacs: Orthanc, study: Study) -> None:
    paths = sorted(study.folder.iterdir())
    one = pydicom.dcmread(paths[0])
    one.PatientIdentityRemoved = "YES"
    one.save_as(paths[0])
    mixed, pseudonymous = shipment_of([study.folder]), shipment_of(paths[:1])
    archive = connect("web")
    with pytest.raises(InputError, match="1 of 5 files are de-identified"):
        send(archive, mixed)
    with pytest.raises(InputError, match="4 of 5 files are not de-identified"):
        send(archive, mixed, deidentified=True)
    assert find(archive, study.query) == []
    send(archive, pseudonymous, deidentified=True)
    assert find(archive, study.query)[0].instances == 1
