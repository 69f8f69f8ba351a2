"""Parcels to and from the hubs of this network: may it go there, and who sent it."""

from datetime import UTC, datetime
from pathlib import Path

from labkit.case import Case
from labkit.errors import InputError
from labkit.printing.approval import check_approval
from labkit.printing.hubs.dispatch import choose, lab_policy
from labkit.printing.hubs.keys import own_keys
from labkit.printing.hubs.parcel import Letter, Parcel, open_parcel, seal
from labkit.printing.hubs.places import Live, places
from labkit.printing.hubs.registry import hub_named, known_hubs, own_hub
from labkit.printing.hubs.sheet import need_of, sheet_of
from labkit.printing.hubs.states import standings
from labkit.printing.hubs.suitability import Pathway


def seal_case(
    case: Case,
    to: str,
    folder: Path,
    *,
    attempt: int = 1,
    job: str = "",
    approved_by: str = "",
    approved_sha256: str = "",
    procedure: str = "",
    pathway: Pathway = "in-house device",
    consent: str = "",
) -> Path:
    """A parcel with the case's frozen G-code for another hub.

    Parameters
    ----------
    to : a hub with a printer against which nothing speaks, as far as it is known here.
    procedure : that the printer must be qualified for; empty: any.
    consent : who allowed another legal entity to print it, and when.

    Raises
    ------
    InputError
        No such hub, or a reason against every printer of it.
    ApprovalError
        Nobody approved this G-code.
    CaseError, EvidenceError, StorageError
        As `sheet_of` and `seal`.
    """
    hubs = known_hubs()
    own, target = own_hub(hubs), hub_named(to, hubs)
    stands = standings(hubs)
    if to == own or stands[own].why_not:
        raise InputError(
            f"{to} is this hub" if to == own else f"{own} may not send: {stands[own].why_not}",
            expected="another hub as the receiver, and this one onboarded",
            where="hubs.yaml",
            fix="name another hub" if to == own else f"onboard {own} first",
        )
    sheet = sheet_of(case)
    need = need_of(
        case.order.case,
        sheet,
        hub=own,
        at=hubs[own],
        procedure=procedure or None,
        pathway=pathway,
        consent_to_other_entity=consent,
    )
    at = datetime.now(UTC)
    live = {(to, printer.name): Live(at) for printer in target.printers}
    decision = choose(need, places({to: target}, stands, live, at), lab_policy(), at)
    if decision.chosen is None:
        raise InputError(
            decision.why,
            expected=f"a printer of {to} that may print it",
            where=to,
            fix="name another hub, or clear up the reasons",
        )
    approval = check_approval(
        sheet.sha256,
        approved_sha256,
        approved_by,
        printer=sheet.printer,
        sliced_for=sheet.printer,
        practice=case.order.practice,
    )
    other = target.legal_entity != hubs[own].legal_entity
    letter = Letter(
        case=case.order.case,
        attempt=attempt,
        practice=case.order.practice,
        from_hub=own,
        to_hub=to,
        approval=approval,
        transfer=f"{pathway}: {consent}" if other else "the same legal entity",
        procedure=procedure,
        job=job,
    )
    gcode = case.product("04_slicing", "part.gcode")
    return seal(gcode, sheet, letter, to=target, keys=own_keys(), folder=folder)


def receive(path: Path, to: Path) -> Parcel:
    """What another hub of this network sent, checked, in a new folder.

    Raises
    ------
    EvidenceError, InputError, StorageError
        As `open_parcel`.
    """
    hubs = known_hubs()
    return open_parcel(path, to, keys=own_keys(), hubs=hubs, standings=standings(hubs))
