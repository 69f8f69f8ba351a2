"""Which request is next: higher priorities first, and nobody waits for ever.

Each request counts as if it had been asked for earlier than it was, by the head start of
its priority; the earliest is next.  That is the same as a priority that grows with every
hour waited.  A request can be overtaken only by those asked for less than the difference
of the head starts after it: from then on everything that is new stands behind it, however
urgent.  So of any steady stream only so many go first as are asked for in that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from labkit.printing.hubs.dispatch import Policy
from labkit.printing.hubs.suitability import Priority


@dataclass(frozen=True)
class Waiting:
    """A request that waits: its name, since when, and how urgent it is."""

    name: str
    asked_at: datetime
    priority: Priority = "routine"


def counts_from(one: Waiting, now: datetime, policy: Policy) -> datetime:
    """From when a request counts; a clock that ran ahead wins nothing by it."""
    return min(one.asked_at, now) - timedelta(hours=policy.head_start_h.of(one.priority))


def next_of(waiting: Sequence[Waiting], now: datetime, policy: Policy) -> Waiting | None:
    """The request that is next, or None if nobody waits; equal ones by name."""
    return min(waiting, key=lambda one: (counts_from(one, now, policy), one.name), default=None)
