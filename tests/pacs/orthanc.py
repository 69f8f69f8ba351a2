"""A real PACS to test against: Debian's Orthanc with its DICOMweb plug-in, on free ports."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml

PROGRAM = Path("/usr/sbin/Orthanc")
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "labkit", "practice-word"


@dataclass(frozen=True)
class Orthanc:
    """Where a running server answers, and what a lab has to register to use it."""

    http_port: int
    dicom_port: int
    own_port: int

    def dicomweb(self, **changes: object) -> dict[str, object]:
        """The entry ``dicomweb`` of ``pacs.yaml``, with changes."""
        entry = {
            "url": f"http://localhost:{self.http_port}/dicom-web",
            "user": USER,
            "secret_variable": "PACS_SECRET",
        }
        return {**entry, "connect_s": 5, "answer_s": 20, **changes}

    def dimse(self, **changes: object) -> dict[str, object]:
        """The entry ``dimse`` of ``pacs.yaml``, with changes."""
        entry = {"host": "127.0.0.1", "port": self.dicom_port, "ae_title": "ORTHANC"}
        own = {"own_address": "127.0.0.1", "own_port": self.own_port}
        return {**entry, **own, "connect_s": 5, "answer_s": 20, **changes}

    def forget(self) -> None:
        """Remove every study, so that each test begins with an empty PACS."""
        for study in self._ask("GET", "/studies"):
            self._ask("DELETE", f"/studies/{study}")

    def _ask(self, method: str, path: str) -> list[str]:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        answer = requests.request(method, url, auth=(USER, PASSWORD), timeout=20)
        answer.raise_for_status()
        return list(answer.json())


def register(home: Path, **entries: dict[str, object]) -> None:
    """Write ``pacs.yaml`` of a lab."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "pacs.yaml").write_text(yaml.safe_dump(entries))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def orthanc(folder: Path, tls: dict[str, object] | None = None) -> Iterator[Orthanc]:
    """A server for as long as it is needed; it keeps what it stores in ``folder``.

    ``tls``: what its settings need for DICOM over TLS.
    """
    if not PROGRAM.exists() or not DICOMWEB.exists():
        pytest.skip("no Orthanc here: sudo apt-get install orthanc orthanc-dicomweb")
    server = Orthanc(free_port(), free_port(), free_port())
    settings = {
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "HttpPort": server.http_port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomAet": "ORTHANC",
        "DicomPort": server.dicom_port,
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": False,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {
            "lab": {
                "AET": "LABKIT",
                "Host": "127.0.0.1",
                "Port": server.own_port,
                "UseDicomTls": bool(tls),
            }
        },
        "OverwriteInstances": True,
        "Plugins": [str(DICOMWEB)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **(tls or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, folder / "orthanc.json"],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
    try:
        while b"Orthanc has started" not in (folder / "log").read_bytes():
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(30)
