"""A PACS by DICOMweb: QIDO-RS, WADO-RS, STOW-RS (DICOM PS3.18), by dicomweb-client."""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from requests.auth import HTTPBasicAuth

from labkit.errors import InputError, PacsError
from labkit.pacs.archive import UID_OF, Level, Outgoing, Progress, Taker
from labkit.pacs.query import text
from labkit.pacs.registry import DicomWeb

# Addresses hold what was asked, which names patients: none of it goes into a log.
for _name in ("dicomweb_client", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_AS_STORED = (("application/dicom", "*"),)
"""Any transfer syntax: without it a server transcodes (DICOM PS3.18 8.7.3.5.2)."""

_LARGEST_REQUEST_BYTES = 64 * 2**20

_NO_STUDY = "2.25.0"
"""A study that nobody has."""


class DicomWebArchive:
    """A PACS that is reached by DICOMweb.

    No redirect is followed (it would carry the secret elsewhere); proxies and
    passwords of the environment are not used.

    Parameters
    ----------
    told : its entry in ``pacs.yaml``.
    folder : what the name of the certificate is relative to.
    secret : password of the user, or bearer token; empty for neither.

    Raises
    ------
    InputError
        A secret or a certificate that cannot be one.
    """

    def __init__(self, told: DicomWeb, folder: Path, secret: str) -> None:
        self.where = told.url
        self._told = told
        session = _Session()
        session.trust_env = False
        session.max_redirects = 0
        named = told.secret_file or told.secret_variable
        if (named and not secret) or not secret.isprintable():
            raise InputError(
                "an empty password or token, or one of several lines",
                expected="one line",
                where=told.url,
                fix="put the secret, alone, into its file",
            )
        if told.user:  # in UTF-8 (RFC 7617)
            session.auth = HTTPBasicAuth(told.user.encode(), secret.encode())
        elif secret:
            session.headers["Authorization"] = f"Bearer {secret}"
        if told.ca_file is not None:
            ca_file = folder / told.ca_file
            if not ca_file.is_file():
                raise InputError(
                    f"no certificate file {ca_file.name}",
                    expected="the certificate that vouches for the server",
                    where=str(ca_file.parent),
                    fix="put the file there, or correct ca_file",
                )
            session.verify = str(ca_file)
        session.hooks["response"].append(_require_the_end)
        self._client = DICOMwebClient(
            told.url.rstrip("/"), session, timeout=(told.connect_s, told.answer_s)
        )
        self._client.set_http_retry_params(retry=False)

    def echo(self) -> None:
        """Whether it answers a search, and lets us in."""
        self.search("STUDY", {"StudyInstanceUID": _NO_STUDY})

    def search(self, level: Level, keys: Mapping[str, str]) -> list[Dataset]:
        """What fits, by QIDO-RS; asked for until nothing new comes."""
        asked = {key: value for key, value in keys.items() if value}
        study = asked.pop("StudyInstanceUID", None) if level != "STUDY" else None
        series = asked.pop("SeriesInstanceUID", None) if level == "IMAGE" else None
        told: dict[str, Any] = {"search_filters": asked, "fields": sorted(set(keys) - set(asked))}
        found: dict[str, Dataset] = {}
        while True:
            more = told | ({"offset": len(found)} if found else {})
            with self._said("a search (QIDO-RS)"):
                if level == "STUDY":
                    page = self._client.search_for_studies(**more)
                elif level == "SERIES":
                    page = self._client.search_for_series(study, **more)
                else:
                    page = self._client.search_for_instances(study, series, **more)
                rows = [Dataset.from_json(row) for row in page]
            for row in rows:  # what the address says, an answer may leave out
                row.StudyInstanceUID = row.get("StudyInstanceUID") or study
                row.SeriesInstanceUID = row.get("SeriesInstanceUID") or series
            new = {text(row, UID_OF[level]): row for row in rows}
            if new.keys() <= found.keys():
                return list(found.values())
            found = new | found

    def retrieve(self, study_uid: str, series: Mapping[str, Sequence[str]], take: Taker) -> None:
        """Every instance, by WADO-RS, as the server has it stored."""
        for one in series:
            with self._said("a retrieval (WADO-RS)"):
                for dataset in self._client.iter_series(study_uid, one, _AS_STORED):
                    take(dataset, dataset.save_as)

    def store(self, files: Sequence[Outgoing], progress: Progress) -> int:
        """Send files by STOW-RS; the answer is read instance by instance."""
        stored = changed = 0
        for batch in _batches(files):
            datasets = [pydicom.dcmread(one.path) for one in batch]
            with self._said("a delivery (STOW-RS)"):
                answer = self._client.store_instances(datasets)
            confirmed = answer.get("ReferencedSOPSequence") or []
            kept = {text(item, "ReferencedSOPInstanceUID") for item in confirmed}
            changed += sum("WarningReason" in item for item in confirmed)
            refused = answer.get("FailedSOPSequence") or []
            missing = [one for one in batch if one.sop_instance_uid not in kept]
            if refused or missing:
                reasons = sorted({f"0x{item.get('FailureReason') or 0:04X}" for item in refused})
                raise PacsError(
                    f"{max(len(refused), len(missing))} of {len(batch)} instances were not stored"
                    + (f", reason {', '.join(reasons)}" if reasons else "")
                    + (f"; {stored} were stored before" if stored else ""),
                    expected="every instance confirmed (DICOM PS3.18 10.5.3, PS3.3 C.12.1.3)",
                    where=self.where,
                    fix="ask the PACS's administrators with this code; sending again does no harm",
                )
            stored += len(batch)
            progress(stored, len(files))
        return changed

    @contextmanager
    def _said(self, asked: str) -> Iterator[None]:
        """Turn what goes wrong into an error that tells nothing of the patient.

        The library's own errors hold the address with the query: they are not chained.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd values are common and not what is judged here
                yield
        except requests.HTTPError as error:
            raise self._refused(asked, error.response.status_code) from None
        except requests.TooManyRedirects:
            raise self._error(
                f"the server sends {asked} to another address",
                "check url in pacs.yaml: redirects are not followed, they would carry the secret",
            ) from None
        except requests.exceptions.SSLError as error:
            raise self._error(
                f"its certificate is not trusted, or no TLS ({_root(error)})",
                "check url and ca_file in pacs.yaml; do not go on without",
            ) from None
        except requests.Timeout:
            raise self._error(
                f"no answer to {asked} within {self._told.answer_s:g} s",
                "try again; a slow PACS needs a larger answer_s in pacs.yaml",
            ) from None
        except _CutError:
            raise self._error(
                f"an answer to {asked} that breaks off", "fetch again; nothing was kept"
            ) from None
        except (
            InvalidDicomError,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            EOFError,
        ) as error:
            raise self._error(
                f"an answer to {asked} that is not DICOMweb ({type(error).__name__})",
                "check url in pacs.yaml: it ends where /studies begins",
            ) from None
        except requests.RequestException as error:
            raise self._error(
                f"{asked} found no connection, or lost it ({_root(error)})",
                "check url and network; the PACS may be down",
            ) from None

    def _refused(self, asked: str, code: int) -> PacsError:
        fixes = {
            401: "check user and secret in pacs.yaml",
            403: "the user may not do this: ask the PACS's administrators",
            404: "check url in pacs.yaml: it ends where /studies begins",
            406: "the server cannot send what it has stored: ask its administrators",
            409: "the server refused every instance: ask its administrators",
        }
        return self._error(
            f"the server refused {asked} (HTTP {code})",
            fixes.get(code, "try again; if it stays so, ask the PACS's administrators"),
        )

    def _error(self, found: str, fix: str) -> PacsError:
        return PacsError(
            found, expected="a DICOMweb server that answers", where=self.where, fix=fix
        )


class _Session(requests.Session):
    """Sends ``*`` as it is, which RFC 3986 allows: Orthanc's plug-in does not decode ``%2A``."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        request.url = str(request.url).replace("%2A", "*")
        return super().prepare_request(request)


class _CutError(requests.RequestException):
    """An answer in parts that breaks off before its closing boundary."""


def _require_the_end(answer: requests.Response, **_: Any) -> None:
    """See that an answer in parts is read to its closing boundary (RFC 2046, 5.1.1).

    Some servers end it by closing the connection; a cut image would look whole.
    """
    boundary = re.search(r'boundary="?([^";\s]+)', answer.headers.get("Content-Type", ""))
    if boundary is None:
        return
    closing = f"--{boundary[1]}--".encode()
    read = answer.iter_content

    def iter_content(*words: Any, **named: Any) -> Iterator[bytes]:
        tail = b""
        for chunk in read(*words, **named):
            tail = (tail + chunk)[-len(closing) - 80 :]
            yield chunk
        if closing not in tail:
            raise _CutError

    answer.iter_content = iter_content  # type: ignore[method-assign]


def _batches(files: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size_bytes = 0
    for file in files:
        size_bytes += file.size_bytes
        if batch and size_bytes > _LARGEST_REQUEST_BYTES:
            yield batch
            batch, size_bytes = [], file.size_bytes
        batch.append(file)
    if batch:
        yield batch


def _root(error: BaseException) -> str:
    """The kind of the innermost error; its words may hold the address."""
    while error.__context__ is not None:
        error = error.__context__
    return type(error).__name__
