"""The state of each hub, by whom and why: shaped for UK SI 2025/87 (modular manufacture).

::

    candidate → onboarded ⇄ paused → ceased

``ceased`` is final, also from ``onboarded``.  Each change is a line that is never altered.
Its terms (legal entity, keys, what each printer may make) are kept with it: a hub whose
terms are other ones in ``hubs.yaml`` than when it was onboarded is onboarded again first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from labkit.case import now
from labkit.errors import InputError
from labkit.printing.hubs.registry import TABLE, Hub, hub_named
from labkit.printing.hubs.tables import HUB_STATES, transaction

State = Literal["candidate", "onboarded", "paused", "ceased"]
Step = Literal["onboard", "pause", "resume", "cease"]

_STEPS: dict[Step, tuple[tuple[State, ...], State]] = {
    "onboard": (("candidate", "onboarded", "paused"), "onboarded"),
    "pause": (("onboarded",), "paused"),
    "resume": (("paused",), "onboarded"),
    "cease": (("onboarded", "paused"), "ceased"),
}


@dataclass(frozen=True)
class Change:
    """One change of a hub's state."""

    hub: str
    at: str
    by: str
    from_state: State
    to_state: State
    reason: str
    entry_sha256: str
    terms: dict[str, Any]


@dataclass(frozen=True)
class Standing:
    """In which state a hub is, and why it may not print; ``why_not`` is empty if it may."""

    state: State
    since: str = ""
    why_not: str = ""


def history(hub: str | None = None) -> list[Change]:
    """All changes of state, of one hub or of all, oldest first."""
    with transaction() as connection:
        return _history(connection, hub)


def standings(hubs: Mapping[str, Hub]) -> dict[str, Standing]:
    """How each of the hubs stands."""
    changes = history()
    return {
        name: standing(hub, [change for change in changes if change.hub == name])
        for name, hub in hubs.items()
    }


def standing(hub: Hub | None, changes: Iterable[Change]) -> Standing:
    """How a hub stands after these changes; None: it is no longer in the table."""
    lines = list(changes)
    if not lines:
        return Standing("candidate", "", "it was never onboarded")
    last = lines[-1]
    why_not = f"{last.to_state} since {last.at}: {last.reason}"
    if last.to_state == "onboarded":
        why_not = ""
        if hub is None:
            why_not = f"it is no longer in {TABLE}"
        elif other := new_terms(last.terms, hub.terms):
            why_not = f"it must be onboarded again, since {'; '.join(other)}"
    return Standing(last.to_state, last.at, why_not)


def new_terms(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is other, in words, in the terms of a hub; a printer that is gone does not count."""
    words = {
        "legal_entity": "its legal entity was {} and is {}",
        "recipient": "its age key was {} and is {}",
        "signing_key": "its signing key was {} and is {}",
    }
    told = [
        text.format(before[field], after[field])
        for field, text in words.items()
        if before[field] != after[field]
    ]
    for name, printer in after["printers"].items():
        was = before["printers"].get(name)
        if was is None:
            told.append(f"its printer {name} is new")
            continue
        told += [
            f"its printer {name} had the {field} {_listed(was[field])} and has "
            f"{_listed(printer[field])}"
            for field in printer
            if was[field] != printer[field]
        ]
    return told


def change(step: Step, name: str, hubs: dict[str, Hub], *, by: str, reason: str) -> Change:
    """Take a hub into another state, and write down when, by whom and why.

    Parameters
    ----------
    hubs : `labkit.printing.hubs.registry.known_hubs`; pausing and ceasing do not need the
        hub to be in it.
    by : the role or code of the person who decided.

    Raises
    ------
    InputError
        No such hub, nobody or no reason named, or this step does not lead on from the
        hub's state.
    StorageError
        The register cannot be written.
    """
    by, reason = " ".join(by.split()), " ".join(reason.split())
    if not by or not reason:
        raise InputError(
            f"a change of {name} without a name or without a reason",
            expected="who decided, and why",
            where=f"labkit hubs {step}",
            fix="give --by and --reason",
        )
    try:
        with transaction() as connection:
            lines = _history(connection, name)
            known = step in ("pause", "cease") and bool(lines)
            hub = hubs.get(name) if known else hub_named(name, hubs)
            _allow(step, name, hub, lines)
            made = Change(
                hub=name,
                at=now(),
                by=by[:200],
                from_state=lines[-1].to_state if lines else "candidate",
                to_state=_STEPS[step][1],
                reason=reason,
                entry_sha256=hub.sha256 if hub else "",
                terms=hub.terms if hub else {},
            )
            values = {**vars(made), "step": len(lines) + 1}
            connection.execute(HUB_STATES.insert().values(values))
    except IntegrityError as error:  # PostgreSQL: another one was quicker
        raise _refused(step, name, "its state was changed at this moment by another") from error
    return made


def _allow(step: Step, name: str, hub: Hub | None, lines: list[Change]) -> None:
    stands = standing(hub, lines)
    if stands.state == "ceased":
        raise _refused(step, name, f"it {stands.why_not}; that is final", "enter a new name")
    if stands.state not in _STEPS[step][0]:
        raise _refused(step, name, f"it is {stands.state}")
    approved = next((line.terms for line in reversed(lines) if line.to_state == "onboarded"), None)
    other = new_terms(approved, hub.terms) if approved and hub else []
    if step == "onboard" and approved and not other:
        way = "resume it" if stands.state == "paused" else "there is nothing to do"
        raise _refused(step, name, f"it is {stands.state}, and its terms are the same", way)
    if step == "resume" and other:
        raise _refused(
            step, name, "; ".join(other), f"look at it, then `labkit hubs onboard {name}`"
        )


def _refused(step: Step, name: str, found: str, fix: str = "") -> InputError:
    return InputError(
        f"{name} cannot {step}: {found}",
        expected=f"a hub that is {' or '.join(_STEPS[step][0])}",
        where=name,
        fix=fix or f"see `labkit hubs history {name}`",
    )


def _history(connection: sa.Connection, hub: str | None) -> list[Change]:
    fields = [HUB_STATES.c[name] for name in Change.__dataclass_fields__]
    asked = sa.select(*fields).order_by(HUB_STATES.c.number)
    if hub is not None:
        asked = asked.where(HUB_STATES.c.hub == hub)
    return [Change(*row) for row in connection.execute(asked)]


def _listed(told: object) -> str:
    return (", ".join(told) or "none") if isinstance(told, list) else str(told)
