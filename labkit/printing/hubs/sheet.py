"""The sheet that goes with a frozen G-code to another hub: what printing needs, no more."""

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.case import Case, Check
from labkit.errors import CaseError, EvidenceError
from labkit.files import sha256_of
from labkit.printing.hubs.registry import Hub
from labkit.printing.hubs.suitability import Need, Pathway, Priority
from labkit.profiles import first_fault

_STAGE = "04_slicing"

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")
Corner = tuple[float, float, float]

NOT_STATED = "not stated: hubs.yaml names no hub as here"
"""The legal entity of a lab that is no hub."""


class Sheet(BaseModel):
    """What the G-code is, what it was sliced for, and how its checks came out.

    A closed list of fields: nothing of the order but what the letter names, nothing of the
    scan or the design.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sha256: str = Sha256
    printer: str = Field(description="the printer's profile that it was sliced for")
    material: str
    quality: str
    profiles: dict[str, str] = Field(description="SHA-256 of each profile, by name")
    slicer: str
    layers: int
    height_mm: float
    filament_mm: float
    mass_g: float = Field(ge=0)
    time_s: float = Field(gt=0)
    lines: int
    bounds_mm: tuple[Corner, Corner]
    hotend_c: list[float]
    bed_c: list[float]
    layer_height_mm: float | None = None
    fill_density: str | None = None
    settings_sha256: str | None = None
    canonical_sha256: str | None = None
    layer_index: dict[str, list[float]] | None = Field(
        default=None, description="first byte, top and time of each layer, for who watches"
    )
    window_c: dict[str, tuple[float, float]] | None = Field(
        default=None, description="the temperatures that the material bears"
    )
    lot_required: bool = Field(default=False, description="of the material, by its profile")
    checks: list[Check]

    @property
    def size_mm(self) -> Corner:
        """Of all that is printed, along x and y, and from the bed upwards."""
        (left, front, _), (right, back, top) = self.bounds_mm
        return right - left, back - front, top


def sheet_of(case: Case) -> Sheet:
    """The sheet of the case's frozen G-code.

    Raises
    ------
    CaseError
        The G-code was not made, or its record lacks what printing needs.
    EvidenceError
        The G-code is another file than its record says.
    """
    gcode, about = (case.product(_STAGE, name) for name in ("part.gcode", "gcode.json"))
    result = case.result(_STAGE)
    assert result is not None  # there is a product
    try:
        told: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
        chosen = {name: result.parameters[name] for name in ("printer", "material", "quality")}
        known = {name: told[name] for name in Sheet.model_fields if name in told}
        checks = [check.model_dump() for check in result.checks]
        sheet = Sheet.model_validate({**known, **chosen, "checks": checks})
    except (ValueError, KeyError, TypeError) as error:
        lacks = first_fault(error, "whole") if isinstance(error, ValidationError) else str(error)
        raise CaseError(
            f"{about.name} does not say what another hub needs to print: {lacks}",
            expected="the record that stage 04_slicing writes",
            where=str(about),
            fix="run stage 04_slicing again",
        ) from error
    if sheet.sha256 != sha256_of(gcode):
        raise EvidenceError(
            "a G-code that is not the one in its record",
            expected=f"the SHA-256 {sheet.sha256}",
            where=str(gcode),
            fix="see `labkit verify`; restore the file, or run stage 04_slicing again",
        )
    return sheet


def need_of(
    case: str,
    sheet: Sheet,
    *,
    hub: str,
    at: Hub | None,
    priority: Priority = "routine",
    due: datetime | None = None,
    procedure: str | None = None,
    nozzle_mm: float | None = None,
    pathway: Pathway = "in-house device",
    consent_to_other_entity: str = "",
) -> Need:
    """What printing this G-code needs, for a hub that asks for it.

    Parameters
    ----------
    case : case code.
    hub, at : name and entry of the hub that asks; None, where the table names none.
    """
    latitude_deg, longitude_deg = (at.latitude_deg, at.longitude_deg) if at else (None, None)
    placed = latitude_deg is not None and longitude_deg is not None
    return Need(
        name=case,
        hub=hub,
        legal_entity=at.legal_entity if at else NOT_STATED,
        profile=sheet.printer,
        profile_sha256=sheet.profiles.get(sheet.printer, ""),
        size_mm=sheet.size_mm,
        material=sheet.material,
        print_time_s=sheet.time_s,
        mass_g=sheet.mass_g,
        at_deg=(latitude_deg or 0.0, longitude_deg or 0.0) if placed else None,
        nozzle_mm=nozzle_mm,
        procedure=procedure,
        priority=priority,
        due=due,
        pathway=pathway,
        consent_to_other_entity=consent_to_other_entity,
    )
