"""What there is to print: the frozen G-code of a case, or of a parcel that another hub sent."""

from dataclasses import dataclass, replace
from pathlib import Path

from labkit import equipment
from labkit.case import Case
from labkit.errors import CaseError
from labkit.printing.approval import check_approval
from labkit.printing.hubs.parcel import LETTER, Letter, opened_parcel
from labkit.printing.hubs.registry import known_hubs
from labkit.printing.hubs.sheet import Sheet, need_of, sheet_of
from labkit.printing.hubs.states import standings
from labkit.printing.hubs.suitability import Need, Pathway, Priority
from labkit.printing.lab_places import PRACTICE_ENTITY, PRACTICE_PROFILE, own_hub_name
from labkit.printing.plan import Plan

SLICING = "04_slicing"


@dataclass(frozen=True)
class CasePrint:
    """A G-code that may be printed, and what is known of it.

    Parameters
    ----------
    code : of the case.
    plan : its layers; None where it was sliced before they were kept.
    letter : of the hub that sent it; None for a case of this lab.
    """

    code: str
    gcode: Path
    sheet: Sheet
    plan: Plan | None
    letter: Letter | None = None

    def approval(self, printer_profile: str, sha256: str, by: str, *, practice: bool) -> str:
        """Who approved it, in words: as told here, else in the letter of the hub that sent it.

        Raises
        ------
        ApprovalError
            As `check_approval`.
        """
        words = {"printer": printer_profile, "sliced_for": self.sheet.printer, "practice": practice}
        if self.letter is None or sha256 or practice:
            return check_approval(self.sheet.sha256, sha256, by, **words)  # type: ignore[arg-type]
        sender = f"{self.letter.approval}, in the signed letter of {self.letter.from_hub}"
        return check_approval(self.sheet.sha256, self.sheet.sha256, sender, **words)  # type: ignore[arg-type]

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
        need = need_of(
            *(self.code, self.sheet),
            hub=own_hub_name(),
            at=known_hubs().get(own_hub_name()),
            priority=priority,
            procedure=procedure or None,
            pathway=pathway,
            consent_to_other_entity=consent_to_other_entity,
        )
        if not practice:
            return need
        exercise = equipment.printer(PRACTICE_PROFILE)
        return replace(
            need,
            legal_entity=PRACTICE_ENTITY,
            profile=exercise.name,
            profile_sha256=exercise.sha256,
        )


def case_print(folder: Path) -> CasePrint:
    """What the case in this folder, or the parcel that was opened there, wants printed.

    Raises
    ------
    CaseError
        It is neither, or was not sliced yet.
    EvidenceError
        Its G-code is not the one that was recorded, or signed.
    InputError
        The hub that sent the parcel is not known, or not onboarded any more.
    """
    if (folder / LETTER).is_file():
        hubs = known_hubs()
        parcel = opened_parcel(folder, hubs=hubs, standings=standings(hubs))
        about = parcel.gcode.with_name("gcode.json")
        return CasePrint(
            parcel.letter.case, parcel.gcode, parcel.sheet, _plan(about), parcel.letter
        )
    case = Case(folder)
    gcode = case.product(SLICING, "part.gcode")
    about = gcode.with_name("gcode.json")
    return CasePrint(case.order.case, gcode, sheet_of(case), _plan(about))


def _plan(about: Path) -> Plan | None:
    try:
        return Plan.read(about)
    except CaseError:
        return None
