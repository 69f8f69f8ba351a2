"""The printers of all hubs as places that a print could go to, at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from labkit import equipment
from labkit.errors import EquipmentError
from labkit.printing.hubs.registry import Hub, HubPrinter
from labkit.printing.hubs.states import Standing
from labkit.printing.hubs.suitability import Place, Shut

_NEVER_ASKED = "nobody has asked it"


@dataclass(frozen=True)
class Live:
    """What a printer's server says: when it is free, and why it cannot be reached, if so."""

    free_at: datetime
    unreachable: str = ""


def places(
    hubs: Mapping[str, Hub],
    standings: Mapping[str, Standing],
    live: Mapping[tuple[str, str], Live],
    now: datetime,
) -> list[Place]:
    """A place for every printer of every hub.

    Parameters
    ----------
    hubs : `labkit.printing.hubs.registry.known_hubs`.
    standings : `labkit.printing.hubs.states.standings`.
    live : by names of hub and printer; one that is left out cannot be reached.
    """
    return [
        _place(
            name,
            hub,
            standings[name],
            printer,
            live.get((name, printer.name), Live(now, _NEVER_ASKED)),
        )
        for name, hub in hubs.items()
        for printer in hub.printers
    ]


def _place(name: str, hub: Hub, stands: Standing, printer: HubPrinter, live: Live) -> Place:
    try:
        profile = equipment.printer(printer.profile)
    except EquipmentError:
        profile = None  # said among the reasons against the place
    at = hub.latitude_deg, hub.longitude_deg
    return Place(
        hub=name,
        legal_entity=hub.legal_entity,
        printer=printer.name,
        technology=printer.technology,
        profile=printer.profile,
        profile_sha256=profile.sha256 if profile else "",
        room_mm=profile.room_mm if profile else (0.0, 0.0, 0.0),
        nozzle_mm=profile.nozzle_mm if profile else 0.0,
        materials=frozenset(printer.materials),
        procedures=frozenset(printer.procedures),
        calibration_due=printer.calibration_due,
        free_at=live.free_at,
        why_not=stands.why_not,
        unreachable=live.unreachable,
        shut=tuple(Shut(one.since, one.until, one.why) for one in printer.closed),
        at_deg=(at[0], at[1]) if at[0] is not None and at[1] is not None else None,
        power_w=profile.power_w if profile else None,
        eur_per_hour=printer.eur_per_hour,
        grid_co2e_kg_per_kwh=hub.grid_co2e_kg_per_kwh,
        transport_co2e_kg_per_km=hub.transport_co2e_kg_per_km,
        transport_eur_per_km=hub.transport_eur_per_km,
    )
