"""The hubs of the network: ``hubs.yaml`` in the lab's own folder.

::

    north:
      here: true                      # this lab
      legal_entity: North Hospital Trust
      site: North Hospital, basement, room 12
      latitude_deg: 52.1              # left out: distances are not known
      longitude_deg: 8.4
      recipient: age1…                # both from `labkit hubs keys` of that hub
      signing_key: 64 hexadecimal digits, or a PEM file beside hubs.yaml
      grid_co2e_kg_per_kwh: 0.38
      grid_source: the supplier's label of 2026
      transport_co2e_kg_per_km: 0.2   # from this hub to the one that asked
      transport_eur_per_km: 0.5
      printers:
        - name: bench-1               # as in printers.yaml
          profile: MK3S
          materials: [PLA, PETG]
          procedures: [practice]      # those it is qualified for
          eur_per_hour: 1.5
          calibrated: 2026-05-04
          calibration_due: 2026-11-04
          closed:
            - {from: 2026-07-01T08:00:00+02:00, until: 2026-07-01T12:00:00+02:00, why: new belts}

What is not stated is not known and is never guessed.
"""

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from labkit.errors import InputError
from labkit.home import home_folder
from labkit.profiles import registered

TABLE = "hubs.yaml"

Words = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
NotNegative = Annotated[float, Field(ge=0)]
_HEX_KEY = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


class _Stated(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True
    )


class Closed(_Stated):
    """A time in which a printer is not to be used, and why."""

    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime
    why: Words

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.since >= self.until:
            raise ValueError("it ends before it begins")
        return self


class HubPrinter(_Stated):
    """A printer of a hub: what it is, what it is qualified for, and when it is closed.

    Bed, nozzle and power are those of its profile (`labkit.equipment`).  Calibration as by
    the hub's own plan, for instance with the artefact of ISO/ASTM 52902.
    """

    name: Name
    profile: Name
    technology: Words = "material extrusion"
    materials: tuple[Name, ...] = Field(min_length=1)
    procedures: tuple[Words, ...] = ()
    eur_per_hour: NotNegative | None = None
    calibrated: date | None = None
    calibration_due: date | None = Field(default=None, description="the last day it holds, in UTC")
    closed: tuple[Closed, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.calibrated and self.calibration_due and self.calibrated > self.calibration_due:
            raise ValueError("calibration_due lies before calibrated")
        return self


class Hub(_Stated):
    """A site of the network with its printers, and the keys that parcels to and from it use."""

    here: bool = Field(default=False, description="this lab")
    legal_entity: Words
    site: Words
    latitude_deg: float | None = Field(default=None, ge=-90, le=90)
    longitude_deg: float | None = Field(default=None, ge=-180, le=180)
    recipient: str = Field(pattern=r"^age1[0-9a-z]{58}$", description="age public key")
    signing_key: str = Field(min_length=1, description="Ed25519: hexadecimal, or a PEM file")
    grid_co2e_kg_per_kwh: NotNegative | None = None
    grid_source: str = ""
    transport_co2e_kg_per_km: NotNegative | None = None
    transport_eur_per_km: NotNegative | None = None
    printers: tuple[HubPrinter, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.latitude_deg is None) != (self.longitude_deg is None):
            raise ValueError("latitude_deg and longitude_deg go together")
        if self.grid_co2e_kg_per_kwh is not None and not self.grid_source:
            raise ValueError("grid_co2e_kg_per_kwh without grid_source")
        names = [printer.name for printer in self.printers]
        if len(set(names)) < len(names):
            raise ValueError("two printers of one name")
        return self

    @property
    def sha256(self) -> str:
        """SHA-256 of the entry, however it is laid out; what is not stated does not count."""
        content = self.model_dump(mode="json", exclude_none=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def terms(self) -> dict[str, Any]:
        """What an onboarding rests on: legal entity, keys, and what each printer may make."""
        told = {"profile", "technology", "materials", "procedures"}
        return {
            "legal_entity": self.legal_entity,
            "recipient": self.recipient,
            "signing_key": self.signing_key,
            "printers": {
                one.name: one.model_dump(mode="json", include=told) for one in self.printers
            },
        }


def known_hubs() -> dict[str, Hub]:
    """The hubs of ``hubs.yaml`` by name, their signing keys as hexadecimal; none without a file.

    Raises
    ------
    InputError
        The file cannot be read, an entry is not one, two hubs are ``here`` or share a
        key, or a key cannot be read.
    """
    hubs = {
        name: hub.model_copy(update={"signing_key": _key_hex(name, hub.signing_key)})
        for name, hub in registered(
            Hub,
            TABLE,
            "hub",
            expected="for each hub its legal_entity, site, recipient, signing_key and printers",
            fix="correct it after the example in docs/hubs.md",
        ).items()
    }
    own = [name for name, hub in hubs.items() if hub.here]
    if len(own) > 1:
        raise _faulty(f"{' and '.join(own)} are both marked here", "one hub that is this lab")
    if odd := next((name for name in hubs if not _NAME.fullmatch(name)), None):
        raise _faulty(f"the hub name {odd!r}", "letters, digits, _ . -, at most 32")
    for field in ("signing_key", "recipient"):
        if len({getattr(hub, field) for hub in hubs.values()}) < len(hubs):
            raise _faulty(f"two hubs with the same {field}", "keys of each hub's own")
    return hubs


def hub_named(name: str, hubs: dict[str, Hub]) -> Hub:
    """The hub of this name.

    Raises
    ------
    InputError
        There is none.
    """
    if name in hubs:
        return hubs[name]
    raise InputError(
        f"no hub {name!r}",
        expected="one of " + ", ".join(sorted(hubs)) if hubs else f"an entry in {TABLE}",
        where=str(home_folder() / TABLE),
        fix=f"correct the name, or enter the hub in {TABLE}",
    )


def own_hub(hubs: dict[str, Hub]) -> str:
    """The name of this lab among the hubs.

    Raises
    ------
    InputError
        None is marked ``here: true``.
    """
    for name, hub in hubs.items():
        if hub.here:
            return name
    raise _faulty("no hub is marked as this lab", "here: true at one of them")


def _key_hex(name: str, told: str) -> str:
    if _HEX_KEY.fullmatch(told):
        return told
    try:
        key = load_pem_public_key((home_folder() / Path(told)).read_bytes())
    except (OSError, ValueError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise _faulty(
            f"the signing_key of {name} is no Ed25519 public key",
            "64 hexadecimal digits, as `labkit hubs keys` prints them, or a PEM file",
        )
    return key.public_bytes_raw().hex()


def _faulty(found: str, expected: str) -> InputError:
    return InputError(
        found, expected=expected, where=str(home_folder() / TABLE), fix=f"correct {TABLE}"
    )
