"""The PACS of the lab: ``pacs.yaml`` in its own folder.

::

    hospital:
      dimse:
        host: pacs.hospital.example
        port: 104
        ae_title: HOSPITAL
        own_ae_title: LABKIT      # as the PACS knows this machine
        retrieve: move            # or get, which needs no port of our own
        own_port: 11112           # where the PACS sends to
        tls: true
        ca_file: keys/pacs-ca.pem
    archive:
      dicomweb:
        url: https://archive.hospital.example/dicom-web
        user: labkit              # without a user the secret is a bearer token
        secret_file: keys/archive # readable by its owner only; beside pacs.yaml
        ca_file: keys/lab-ca.pem

One PACS may have both; DICOMweb is then used unless ``prefer: dimse`` is set.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from labkit.errors import InputError
from labkit.home import home_folder
from labkit.pacs.archive import Archive
from labkit.profiles import registered
from labkit.secret import secret_in

Way = Literal["dicomweb", "dimse"]

_LOOPBACK = r"(localhost|127(\.\d+){3}|\[::1\])"


def _ae_title(text: str) -> str:
    if not re.fullmatch(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?", text):
        raise ValueError("1 to 16 signs of ASCII, no backslash (DICOM PS3.5 6.2, AE)")
    return text


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class _Way(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    ca_file: Path | None = None
    connect_s: Seconds = 10.0
    answer_s: Seconds = 60.0


class Dimse(_Way):
    """Where a PACS answers by DIMSE, and as whom we speak to it."""

    host: Annotated[str, Field(pattern=r"^[^\s/@]+$")]
    port: Port
    ae_title: AETitle
    own_ae_title: AETitle = "LABKIT"
    retrieve: Literal["get", "move"] = "get"
    own_address: str = ""
    """Where the PACS sends to on C-MOVE; empty: every address of this machine."""
    own_port: Port = 11112
    tls: bool = False
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("certificates are used with tls: true only")
        if self.tls and self.retrieve == "move" and not (self.cert_file and self.ca_file):
            raise ValueError(
                "retrieve: move with tls needs cert_file, key_file and ca_file, since the "
                "PACS calls back; or use retrieve: get"
            )
        return self


class DicomWeb(_Way):
    """Where a PACS answers by DICOMweb, and where our secret lies."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    user: Annotated[str, Field(pattern=r"^[^:\s]*$")] = ""
    secret_file: Path | None = None
    secret_variable: str = ""

    @model_validator(mode="after")
    def _keeps_its_secret(self) -> Self:
        if self.secret_file and self.secret_variable:
            raise ValueError("secret_file or secret_variable, not both")
        secret = bool(self.secret_file or self.secret_variable)
        if self.user and not secret:
            raise ValueError("a user needs secret_file or secret_variable")
        if secret and not re.match(rf"https://|http://{_LOOPBACK}(:\d+)?(/|$)", self.url):
            raise ValueError("a secret travels over https only")
        return self


class RegisteredPacs(BaseModel):
    """One PACS, by one way or two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimse: Dimse | None = None
    dicomweb: DicomWeb | None = None
    prefer: Way = "dicomweb"

    @model_validator(mode="after")
    def _has_a_way(self) -> Self:
        if self.dimse is None and self.dicomweb is None:
            raise ValueError("neither dimse nor dicomweb")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        """How it can be reached, the preferred one first."""
        ordered: tuple[Way, ...] = ("dicomweb", "dimse")
        there = [way for way in ordered if getattr(self, way) is not None]
        return tuple(sorted(there, key=lambda way: way != self.prefer))


def registered_pacs() -> dict[str, RegisteredPacs]:
    """The PACS of this lab by name; none if there is no ``pacs.yaml``.

    Raises
    ------
    InputError
        The file cannot be read, or an entry is not one.
    """
    return registered(
        RegisteredPacs,
        "pacs.yaml",
        "PACS",
        expected="for each PACS its dimse or dicomweb with what they need",
        fix="correct it after the example in docs/pacs.md",
    )


def connect(name: str, way: Way | None = None) -> Archive:
    """A PACS by its name; nothing is sent yet.

    Raises
    ------
    InputError
        No PACS of that name or by that way, or no secret that is one.
    """
    from labkit.pacs.dicomweb import DicomWebArchive  # noqa: PLC0415 (slow, and only here)
    from labkit.pacs.dimse import DimseArchive  # noqa: PLC0415

    known = registered_pacs()
    if name not in known:
        raise InputError(
            f"no PACS {name!r}",
            expected="one of " + ", ".join(sorted(known)) if known else "an entry in pacs.yaml",
            where=str(home_folder() / "pacs.yaml"),
            fix="correct the name, or enter the PACS in pacs.yaml",
        )
    told = known[name]
    chosen = way or told.ways[0]
    if chosen == "dimse" and told.dimse is not None:
        return DimseArchive(told.dimse, home_folder())
    if chosen == "dicomweb" and told.dicomweb is not None:
        return DicomWebArchive(told.dicomweb, home_folder(), _secret(told.dicomweb))
    raise InputError(
        f"{name} has no {chosen}",
        expected=" or ".join(told.ways),
        where=str(home_folder() / "pacs.yaml"),
        fix=f"leave out --by, or enter {chosen} for it",
    )


def _secret(told: DicomWeb) -> str:
    if told.secret_file:
        return secret_in(home_folder() / told.secret_file, "the PACS's password or token")
    if told.secret_variable and not os.environ.get(told.secret_variable):
        raise InputError(
            f"the environment variable {told.secret_variable} is empty",
            expected="the PACS's password or token in it",
            where=told.url,
            fix="set it, or name a secret_file in pacs.yaml",
        )
    return os.environ[told.secret_variable] if told.secret_variable else ""
