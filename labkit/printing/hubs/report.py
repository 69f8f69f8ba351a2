"""What happened in the network in a year: shaped for the annual report of UK SI 2025/87."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from labkit.printing.hubs.registry import Hub
from labkit.printing.hubs.states import history, standings
from labkit.printing.hubs.tables import transaction
from labkit.printing.jobs import Register

_JOBS = sa.table("jobs", sa.column("job_id"), sa.column("printer"), sa.column("state"))
_LINES = sa.table("job_history", sa.column("job_id"), sa.column("at"))


def annual(hubs: Mapping[str, Hub], year: int) -> list[dict[str, Any]]:
    """For each hub: its state now, its changes of state and its jobs in a year (UTC).

    A job counts in the year in which it was planned, at the hub whose printer it names; jobs
    of printers that no hub has are a row without a hub.  Only this lab's register is asked.
    """
    Register()  # makes the tables where the lab has printed nothing yet
    planned = sa.func.min(_LINES.c.at)
    asked = (
        sa.select(_JOBS.c.printer, _JOBS.c.state, planned)
        .join(_LINES, _LINES.c.job_id == _JOBS.c.job_id)
        .group_by(_JOBS.c.job_id, _JOBS.c.printer, _JOBS.c.state)
    )
    with transaction() as connection:
        found = [(str(p), str(s)) for p, s, at in connection.execute(asked) if _in(year, at)]
    changes = [change for change in history() if _in(year, change.at)]
    stands = standings(hubs)
    names = sorted({*hubs, *(change.hub for change in changes)})
    owner = {printer.name: name for name, hub in hubs.items() for printer in hub.printers}
    rows: list[dict[str, Any]] = []
    for name in [*names, ""]:
        jobs = Counter(state for printer, state in found if owner.get(printer, "") == name)
        if not name and not jobs:
            continue
        told = [f"{one.at} {one.from_state} → {one.to_state}" for one in changes if one.hub == name]
        state = stands[name].state if name in stands else ""
        rows.append(
            {"hub": name, "state": state, "changes": told, "jobs": dict(sorted(jobs.items()))}
        )
    return rows


def _in(year: int, at: str) -> bool:
    return at.startswith(f"{year:04d}-")
