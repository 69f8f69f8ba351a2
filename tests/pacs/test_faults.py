"""What no PACS should do: each is named, and nothing half-fetched stays."""

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider

from labkit.errors import PacsError, StorageError
from labkit.pacs.registry import connect
from labkit.pacs.retrieval import fetch, find
from labkit.pacs.sending import send, shipment_of
from tests.pacs.conftest import Study, datasets_in
from tests.pacs.orthanc import free_port, register
from tests.pacs.stand_in import Reply, as_json, dimse, rows, web

BOUNDARY = "a-boundary-of-parts"


@pytest.fixture
def images(study: Study) -> list[Dataset]:
    return list(datasets_in(study.folder).values())


def register_dimse(lab: Path, port: int, **changes: object) -> None:
    entry = {"host": "127.0.0.1", "port": port, "ae_title": "STANDIN", "answer_s": 20}
    register(lab, standin={"dimse": {**entry, **changes}})


def register_web(lab: Path, url: str, **changes: object) -> None:
    entry = {"url": url, "user": "labkit", "secret_variable": "PACS_SECRET"}
    register(lab, standin={"dicomweb": {**entry, **changes}})


def parts(images: list[Dataset]) -> bytes:
    """Images as an answer of WADO-RS, to its closing boundary."""
    body = b""
    for image in images:
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, image)
        body += f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body += stream.getvalue()
    return body + f"\r\n--{BOUNDARY}--\r\n".encode()


def answer(path: str, listed: list[Dataset], body: bytes) -> Reply:
    """What a web server says that lists some images, and sends ``body`` for a series."""
    if "/series/" in path and "/instances" not in path:
        kind = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
        return 200, {"Content-Type": kind}, body
    level = "IMAGE" if "/instances" in path else "SERIES" if "/series" in path else "STUDY"
    found = [] if "offset" in path else rows(listed, level)
    for row in found:  # what the address says, an answer may leave out (DICOM PS3.18 10.6.3)
        for above in ("Study", "Series")[: ("STUDY", "SERIES", "IMAGE").index(level)]:
            del row[f"{above}InstanceUID"]
    return as_json(found)


class _LateToStop(threading.Event):
    """The checkpoint of pynetdicom's own thread, which it was past when told to stop there."""

    past = False

    def wait(self, timeout: float | None = None) -> bool:
        if self.past:
            return super().wait(timeout)
        self.past = True
        time.sleep(0.2)
        return True


def test_an_answer_reaches_its_request_whatever_pynetdicoms_own_thread_does(
    lab: Path, study: Study, images: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, sent = Association.__init__, DIMSEServiceProvider.send_msg

    def late(self: Association, *arguments: Any) -> None:
        made(self, *arguments)
        if self.is_requestor:
            self._reactor_checkpoint = _LateToStop()
            self._reactor_checkpoint.set()

    def busy(self: DIMSEServiceProvider, *arguments: Any) -> None:
        sent(self, *arguments)
        if self.assoc.is_requestor:
            time.sleep(0.3)

    monkeypatch.setattr(Association, "__init__", late)
    monkeypatch.setattr(DIMSEServiceProvider, "send_msg", busy)
    with dimse(listed=images, sent=images) as port:
        register_dimse(lab, port, answer_s=2)
        assert len(find(connect("standin"), study.query)) == 1


def test_what_is_missing_is_counted_by_dimse(
    lab: Path, study: Study, images: list[Dataset], tmp_path: Path
) -> None:
    with dimse(listed=images, sent=images[:3]) as port:
        register_dimse(lab, port)
        with pytest.raises(PacsError, match="3 of 5 instances arrived"):
            fetch(connect("standin"), study.query, tmp_path / "in" / "got")
    assert list((tmp_path / "in").iterdir()) == []


def test_what_was_not_asked_for_is_not_taken(
    lab: Path, study: Study, images: list[Dataset], tmp_path: Path
) -> None:
    with dimse(listed=images[:2], sent=images[:3]) as port:
        register_dimse(lab, port)
        with pytest.raises(PacsError, match="1 instances could not be sent"):
            fetch(connect("standin"), study.query, tmp_path / "got")
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize(
    ("sent", "words"), [(slice(0, 3), "3 of 5 instances arrived"), (slice(0, 5), "")]
)
def test_what_is_missing_is_counted_by_dicomweb(
    lab: Path, study: Study, images: list[Dataset], tmp_path: Path, sent: slice, words: str
) -> None:
    with web(lambda path: answer(path, images, parts(images[sent]))) as (url, _):
        register_web(lab, url)
        if not words:
            assert fetch(connect("standin"), study.query, tmp_path / "got").instances == 5
            return
        with pytest.raises(PacsError, match=words):
            fetch(connect("standin"), study.query, tmp_path / "got")
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize("kept", [-1000, -len(BOUNDARY) - 6])
def test_an_answer_that_breaks_off(
    lab: Path, study: Study, images: list[Dataset], tmp_path: Path, kept: int
) -> None:
    """In the last image, or just before the closing boundary."""
    with web(lambda path: answer(path, images, parts(images)[:kept])) as (url, _):
        register_web(lab, url)
        with pytest.raises(PacsError, match="breaks off"):
            fetch(connect("standin"), study.query, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_a_pacs_that_ignores_the_query_gives_nobody_elses_images(
    lab: Path, study: Study, images: list[Dataset]
) -> None:
    other = images[0]
    other.PatientID = "ANOTHER-1"
    with dimse(listed=[other], sent=images) as port:
        register_dimse(lab, port)
        with pytest.raises(PacsError, match="another PatientID than was asked for") as refused:
            find(connect("standin"), study.query)
    assert "ANOTHER" not in str(refused.value)


def test_a_pacs_that_says_nothing(lab: Path, study: Study, images: list[Dataset]) -> None:
    go_on = threading.Event()
    with dimse(images, images, wait=go_on) as port:
        register_dimse(lab, port, answer_s=0.3)
        with pytest.raises(PacsError, match=r"no answer to C-FIND within 0\.3 s"):
            find(connect("standin"), study.query)

    def silent(_: str) -> Reply:
        go_on.wait(30)
        return as_json([])

    go_on.clear()
    with web(silent) as (url, _):
        register_web(lab, url, answer_s=0.3)
        with pytest.raises(PacsError, match=r"within 0\.3 s") as refused:
            find(connect("standin"), study.query)
        go_on.set()
    assert study.query.study["PatientID"] not in str(refused.value)


def test_a_redirect_does_not_get_the_password(lab: Path, study: Study) -> None:
    with web(lambda _: as_json([])) as (other, asked_there):
        with web(lambda _: (302, {"Location": other, "Content-Length": "0"}, b"")) as (url, _):
            register_web(lab, url)
            with pytest.raises(PacsError, match="another address"):
                find(connect("standin"), study.query)
        assert asked_there == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>"), "not DICOMweb"),
        ((200, {"Content-Type": "application/json"}, b'["text"]'), "not DICOMweb"),
        ((404, {}, b""), "HTTP 404"),
        ((503, {}, b""), "HTTP 503"),
    ],
)
def test_a_server_that_is_none(lab: Path, study: Study, reply: Reply, words: str) -> None:
    with web(lambda _: reply) as (url, _):
        register_web(lab, url)
        with pytest.raises(PacsError, match=words) as refused:
            find(connect("standin"), study.query)
    assert study.query.study["PatientID"] not in str(refused.value)


def delivered(images: list[Dataset], *refused_for: int) -> Reply:
    """An answer of STOW-RS that confirms images with a warning, and refuses others."""
    said = Dataset()
    said.ReferencedSOPSequence, said.FailedSOPSequence = [], []
    for image in images:
        confirmed = Dataset()
        confirmed.ReferencedSOPInstanceUID = image.SOPInstanceUID
        confirmed.WarningReason = 0xB000
        said.ReferencedSOPSequence.append(confirmed)
    for reason in refused_for:
        refused = Dataset()
        refused.FailureReason = reason
        said.FailedSOPSequence.append(refused)
    body = json.dumps(said.to_json_dict()).encode()
    kind = {"Content-Type": "application/dicom+json", "Content-Length": str(len(body))}
    return 200, kind, body


def test_what_a_pacs_changes_is_counted(lab: Path, study: Study, images: list[Dataset]) -> None:
    with web(lambda _: delivered(images)) as (url, _):
        register_web(lab, url)
        assert send(connect("standin"), shipment_of([study.folder])) == 5


def test_a_delivery_that_is_refused_in_part(lab: Path, study: Study, images: list[Dataset]) -> None:
    with web(lambda _: delivered(images[:1], 0xA700)) as (url, _):
        register_web(lab, url)
        with pytest.raises(PacsError, match="4 of 5 instances were not stored, reason 0xA700"):
            send(connect("standin"), shipment_of([study.folder]))


def test_a_pacs_that_does_not_take_the_transfer_syntax(
    lab: Path, study: Study, images: list[Dataset]
) -> None:
    images[0].file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
    with dimse(images, images) as port:
        register_dimse(lab, port)
        with pytest.raises(PacsError, match=r"does not take CT Image Storage \(JPEG-LS"):
            send(connect("standin"), shipment_of([study.folder]))


def test_a_full_disk(
    lab: Path, study: Study, images: list[Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with dimse(images, images) as port:
        register_dimse(lab, port)
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match="the disk is full"):
            fetch(connect("standin"), study.query, tmp_path / "in" / "got")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_host_that_nobody_knows(lab: Path) -> None:
    register(
        lab,
        standin={"dimse": {"host": "nosuch.invalid", "port": free_port(), "ae_title": "NOBODY"}},
    )
    with pytest.raises(PacsError, match="a host name that nobody knows"):
        connect("standin").echo()
