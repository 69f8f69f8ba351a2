"""Encrypted, and refused where the other side is not who it should be."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from labkit.errors import InputError, PacsError
from labkit.pacs.registry import connect
from labkit.pacs.retrieval import fetch
from labkit.pacs.sending import send, shipment_of
from tests.pacs.conftest import Study
from tests.pacs.orthanc import Orthanc, orthanc, register
from tests.pacs.stand_in import encrypted


@dataclass(frozen=True)
class Identity:
    """A certificate that vouches for itself, its key, and both in one file."""

    cert: Path
    key: Path
    both: Path


def identity(folder: Path, name: str) -> Identity:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Identity(folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.both")
    made.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    made.both.write_bytes(made.key.read_bytes() + made.cert.read_bytes())
    return made


@dataclass(frozen=True)
class Secure:
    """A PACS that speaks over TLS only, and knows the lab by its certificate."""

    server: Orthanc
    url: str
    pacs: Identity
    lab: Identity


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    pacs, lab = identity(folder, "pacs"), identity(folder, "lab")
    settings: dict[str, object] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(pacs.cert),
        "DicomTlsPrivateKey": str(pacs.key),
        "DicomTlsTrustedCertificates": str(lab.cert),
        "DicomTlsRemoteCertificateRequired": True,
    }
    # Debian's Orthanc 1.10.1 ends at the first connection to its own HTTPS
    with orthanc(folder, settings) as server, encrypted(server.http_port, pacs.both) as port:
        yield Secure(server, f"https://localhost:{port}/dicom-web", pacs, lab)


def test_everything_over_tls(secure: Secure, lab: Path, study: Study, tmp_path: Path) -> None:
    dimse = {
        "tls": True,
        "ca_file": str(secure.pacs.cert),
        "cert_file": str(secure.lab.cert),
        "key_file": str(secure.lab.key),
    }
    register(
        lab,
        web={"dicomweb": secure.server.dicomweb(url=secure.url, ca_file=str(secure.pacs.cert))},
        get={"dimse": secure.server.dimse(**dimse)},
        move={"dimse": secure.server.dimse(**dimse, retrieve="move")},
    )
    for way in ("web", "get"):
        send(connect(way), shipment_of([study.folder]))
    for way in ("web", "get", "move"):
        assert fetch(connect(way), study.query, tmp_path / way).instances == study.files


def test_a_pacs_that_nobody_vouches_for(secure: Secure, lab: Path) -> None:
    wrong = {"ca_file": str(secure.lab.cert)}
    register(
        lab,
        web={"dicomweb": secure.server.dicomweb(url=secure.url, **wrong)},
        get={"dimse": secure.server.dimse(tls=True, **wrong)},
    )
    with pytest.raises(PacsError, match="certificate is not trusted"):
        connect("web").echo()
    with pytest.raises(PacsError, match="certificate is not trusted"):
        connect("get").echo()


def test_a_pacs_that_wants_tls_or_our_certificate(secure: Secure, lab: Path) -> None:
    register(
        lab,
        plain={"dimse": secure.server.dimse()},
        nobody={"dimse": secure.server.dimse(tls=True, ca_file=str(secure.pacs.cert))},
    )
    for name in ("plain", "nobody"):
        with pytest.raises(PacsError, match="whether it wants tls or a certificate of ours"):
            connect(name).echo()


def test_files_that_are_no_certificates(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a certificate")
    for wrong in ("text", "nosuch"):
        ca_file = str(tmp_path / wrong)
        dimse = {"host": "127.0.0.1", "port": 1, "ae_title": "PACS", "tls": True}
        register(lab, get={"dimse": {**dimse, "ca_file": ca_file}})
        with pytest.raises(InputError, match="certificate or key that cannot be used"):
            connect("get")
    register(lab, web={"dicomweb": {"url": "https://localhost", "ca_file": "nosuch"}})
    with pytest.raises(InputError, match="no certificate file nosuch"):
        connect("web")
