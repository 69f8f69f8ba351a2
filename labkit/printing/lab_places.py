"""What this lab's queue can print on: the hubs' printers that are reachable, and practice ones."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from urllib.parse import urlsplit

from labkit import equipment
from labkit.printing.hubs.places import Live, places
from labkit.printing.hubs.registry import Hub, known_hubs
from labkit.printing.hubs.states import standings
from labkit.printing.hubs.suitability import Place
from labkit.printing.printers import registered_printers
from labkit.printing.servers.practice import practice_number

HERE = "here"
"""What this lab is called where ``hubs.yaml`` does not name it."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

PRACTICE_ENTITY = "practice"
PRACTICE_PROFILE = "practice"


def own_hub_name() -> str:
    """The name of this lab among the hubs."""
    return next((name for name, hub in known_hubs().items() if hub.here), HERE)


def usable_printers(practice: Iterable[str]) -> tuple[str, ...]:
    """Every printer that the queue can reach from here: the registered, and these for practice."""
    return (*sorted(registered_printers()), *practice)


def lab_places(live: dict[str, Live], now: datetime) -> list[Place]:
    """The places of all printers, with what is known of them at this moment.

    Printers of the hubs are held against their entry in ``hubs.yaml``: a registered printer
    that no hub names is nowhere qualified, and gets nothing from the queue.  A practice
    printer takes practice prints of every material; nothing real is printed there.
    """
    hubs, registered = known_hubs(), registered_printers()
    reached = {
        (name, printer.name): _encrypted(live[printer.name], registered[printer.name].url, hub)
        for name, hub in hubs.items()
        for printer in hub.printers
        if printer.name in live and printer.name in registered
    }
    found = places(hubs, standings(hubs), reached, now)
    named = {place.printer for place in found}
    practice = [name for name in live if practice_number(name) and name not in named]
    return found + [_practice_place(name, live[name]) for name in practice]


def _encrypted(live: Live, url: str, hub: Hub) -> Live:
    """As it is; not reachable, if a G-code would leave this lab in the clear."""
    if hub.here or url.startswith("https://") or urlsplit(url).hostname in LOOPBACK:
        return live
    return replace(live, unreachable="its address is not encrypted: use https, or send a parcel")


def _practice_place(name: str, live: Live) -> Place:
    profile = equipment.printer(PRACTICE_PROFILE)
    return Place(
        hub=own_hub_name(),
        legal_entity=PRACTICE_ENTITY,
        printer=name,
        technology="material extrusion",
        profile=profile.name,
        profile_sha256=profile.sha256,
        room_mm=profile.room_mm,
        nozzle_mm=profile.nozzle_mm,
        materials=frozenset(equipment.known("materials")),
        procedures=frozenset({"practice"}),
        calibration_due=date.max,
        free_at=live.free_at,
        unreachable=live.unreachable,
        power_w=profile.power_w,
    )
