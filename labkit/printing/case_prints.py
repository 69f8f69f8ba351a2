"""From a case folder to a print: its frozen G-code, its plan, and what it needs of a printer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import equipment
from labkit.case import Case
from labkit.errors import CaseError
from labkit.files import sha256_of
from labkit.printing.approval import check_approval
from labkit.printing.hubs.registry import known_hubs
from labkit.printing.lab_places import PRACTICE_ENTITY, PRACTICE_PROFILE, own_hub_name
from labkit.printing.plan import Plan
from labkit.printing.suitability import Need, Pathway, Priority

SLICING = "04_slicing"


@dataclass(frozen=True)
class CasePrint:
    """What a case wants printed.

    Parameters
    ----------
    gcode : the frozen file of its current slicing.
    profile : of the printer that it was sliced for.
    details : what the slicing recorded.
    """

    case: Case
    gcode: Path
    sha256: str
    profile: str
    material: str
    plan: Plan
    details: dict[str, Any]

    def approval(
        self, printer_profile: str, approved_sha256: str, approved_by: str, *, practice: bool
    ) -> str:
        """Who approved it, in words.

        Raises
        ------
        ApprovalError
            As `check_approval`.
        """
        return check_approval(
            *(self.sha256, approved_sha256, approved_by),
            printer=printer_profile,
            sliced_for=self.profile,
            practice=practice,
        )

    def need(
        self,
        *,
        practice: bool,
        priority: Priority = "routine",
        procedure: str = "practice",
        pathway: Pathway = "in-house device",
        consent_to_other_entity: str = "",
    ) -> Need:
        """What it needs of a printer."""
        low, high = self.details["part_bounds_mm"]
        hubs = known_hubs()
        hub = hubs.get(own_hub_name())
        at = (hub.latitude_deg, hub.longitude_deg) if hub else (None, None)
        entity = hub.legal_entity if hub else "not stated: hubs.yaml names no hub as here"
        profile = PRACTICE_PROFILE if practice else self.profile
        return Need(
            name=self.case.order.case,
            hub=own_hub_name(),
            legal_entity=PRACTICE_ENTITY if practice else entity,
            profile=profile,
            profile_sha256=equipment.printer(profile).sha256,
            size_mm=(high[0] - low[0], high[1] - low[1], high[2] - low[2]),
            material=self.material,
            print_time_s=max(float(self.details["time_s"]), 1.0),
            mass_g=float(self.details["mass_g"]),
            at_deg=None if at[0] is None or at[1] is None else (at[0], at[1]),
            procedure=procedure,
            priority=priority,
            pathway=pathway,
            consent_to_other_entity=consent_to_other_entity,
        )


def case_print(folder: Path) -> CasePrint:
    """What the case in this folder wants printed.

    Raises
    ------
    CaseError
        It is no case, was not sliced yet, or its G-code is not the one that was recorded.
    """
    case = Case(folder)
    gcode = case.product(SLICING, "part.gcode")
    result = case.result(SLICING)
    assert result is not None
    sha256 = sha256_of(gcode)
    if sha256 != result.details.get("sha256"):
        raise CaseError(
            "the G-code is not the one that stage 04_slicing recorded",
            expected=f"the file with the SHA-256 {result.details.get('sha256')}",
            where=gcode.parent.name,
            fix=f"`labkit verify {folder}` says what was altered",
        )
    return CasePrint(
        case=case,
        gcode=gcode,
        sha256=sha256,
        profile=str(result.parameters["printer"]),
        material=str(result.parameters["material"]),
        plan=Plan.read(gcode.with_name("gcode.json")),
        details=result.details,
    )
