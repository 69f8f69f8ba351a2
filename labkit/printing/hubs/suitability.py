"""What a print needs, what a printer of a hub can do, and every reason why not.

The frozen G-code is the controlled document: it is never sliced again, so that only a
printer of the very profile it was sliced for may print it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Literal

Priority = Literal["emergency", "urgent", "routine"]
Pathway = Literal["in-house device", "custom-made device", "modular manufacture", "no device"]
"""Under which rules a part is made; the first is the strictest, and taken if none is named."""

Place2D = tuple[float, float]
Size = tuple[float, float, float]


@dataclass(frozen=True)
class Need:
    """What one print needs, and for whom.

    Parameters
    ----------
    name : of the request, such as its case code; never of a patient.
    hub, legal_entity, at_deg : where the part is wanted; latitude and longitude, degrees.
    profile, profile_sha256 : the printer's profile that the G-code was sliced for.
    size_mm : of all that is printed, along x, y and z of the printer; never turned.
    due : when the part is wanted at the latest.
    consent_to_other_entity : who allowed another legal entity to print it, and when.
    """

    name: str
    hub: str
    legal_entity: str
    profile: str
    profile_sha256: str
    size_mm: Size
    material: str
    print_time_s: float
    mass_g: float
    at_deg: Place2D | None = None
    technology: str = "material extrusion"
    nozzle_mm: float | None = None
    procedure: str | None = None
    priority: Priority = "routine"
    due: datetime | None = None
    pathway: Pathway = "in-house device"
    consent_to_other_entity: str = ""

    def __post_init__(self) -> None:
        if self.print_time_s <= 0 or self.mass_g < 0:
            raise ValueError(f"a print of {self.mass_g:g} g in {self.print_time_s:g} s")

    @cached_property
    def no_other_entity(self) -> str:
        """Why another legal entity may not print it; empty if it may."""
        return transfer_refusal(self.pathway, self.consent_to_other_entity)


@dataclass(frozen=True)
class Shut:
    """A time in which a printer is not to be used, and why."""

    since: datetime
    until: datetime
    why: str


@dataclass(frozen=True)
class Place:
    """A printer of a hub at this moment: what it can do, and when it is free.

    Parameters
    ----------
    why_not : why the hub may not print (its state); empty if it may.
    profile_sha256, room_mm, nozzle_mm, power_w : of the printer's profile as this lab has it;
        no hash, no such profile.
    calibration_due : the last day on which its calibration holds.
    free_at : when it has printed what waits before this print.
    unreachable : why it cannot be reached; empty if it can.
    at_deg : latitude and longitude, degrees.  It and the figures after it: None, not known.
    """

    hub: str
    legal_entity: str
    printer: str
    technology: str
    profile: str
    profile_sha256: str
    room_mm: Size
    nozzle_mm: float
    materials: frozenset[str]
    procedures: frozenset[str]
    calibration_due: date | None
    free_at: datetime
    why_not: str = ""
    unreachable: str = ""
    shut: tuple[Shut, ...] = ()
    at_deg: Place2D | None = None
    power_w: float | None = None
    eur_per_hour: float | None = None
    grid_co2e_kg_per_kwh: float | None = None
    transport_co2e_kg_per_km: float | None = None
    transport_eur_per_km: float | None = None

    @property
    def name(self) -> str:
        """``hub/printer``."""
        return f"{self.hub}/{self.printer}"

    def time_of(self, need: Need, now: datetime) -> tuple[datetime, datetime]:
        """When the print would begin and end here."""
        begin = max(self.free_at, now)
        return begin, begin + timedelta(seconds=need.print_time_s)


def transfer_refusal(pathway: Pathway, consent: str) -> str:
    """Why a print may not go to another legal entity; empty if it may.

    An in-house device is not transferred to another legal entity (EU MDR Art. 5(5)(a)):
    no consent of a person lifts that.  On other pathways somebody has to have consented.
    """
    if pathway == "in-house device":
        return (
            "another legal entity: in-house devices are not transferred to one "
            "(EU MDR Art. 5(5)(a))"
        )
    return "" if consent.strip() else "another legal entity, and nobody consented to that"


def reasons_against(need: Need, place: Place, now: datetime) -> list[str]:
    """Every reason why this print may not be made at this place; none: it may."""
    return list(_reasons(need, place, now))


def _reasons(need: Need, place: Place, now: datetime) -> Iterator[str]:
    if place.profile != need.profile:
        yield f"sliced for the profile {need.profile}, the printer has {place.profile}"
    elif not place.profile_sha256:
        yield f"this lab has no profile {place.profile}"
    elif place.profile_sha256 != need.profile_sha256:
        yield f"sliced for another version of the profile {need.profile}"
    if place.technology != need.technology:
        yield f"{place.technology}, not {need.technology}"
    if need.material not in place.materials:
        yield f"no {need.material} there"
    if place.profile_sha256:
        yield from _too_large(need, place)
    if need.procedure is not None and need.procedure not in place.procedures:
        yield f"not qualified for the procedure {need.procedure}"
    if place.legal_entity != need.legal_entity and need.no_other_entity:
        yield need.no_other_entity
    if place.why_not:
        yield f"the hub may not print: {place.why_not}"
    if place.unreachable:
        yield f"not reachable: {place.unreachable}"
    yield from _not_then(need, place, now)


def _too_large(need: Need, place: Place) -> Iterator[str]:
    for axis, wanted, there in zip("xyz", need.size_mm, place.room_mm, strict=True):
        if wanted > there:
            yield f"{wanted:.1f} mm along {axis}, the printer has {there:.1f} mm"
    if need.nozzle_mm is not None and need.nozzle_mm != place.nozzle_mm:
        yield f"a nozzle of {place.nozzle_mm:g} mm, not {need.nozzle_mm:g} mm"


def _not_then(need: Need, place: Place, now: datetime) -> Iterator[str]:
    begin, end = place.time_of(need, now)
    if place.calibration_due is None:
        yield "until when its calibration holds is not stated"
    elif end.astimezone(UTC).date() > place.calibration_due:
        yield f"its calibration ends on {place.calibration_due}, before the print would"
    for shut in place.shut:
        if shut.since < end and begin < shut.until:
            until = f"{shut.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            yield f"closed until {until} ({shut.why}), while it would print"
