"""A made-up network of hubs, and what happens in it, event by event; for ``dispatch.py``.

Hubs of several legal entities, 2 to 4 printers each, with closed times and outages.  Requests
come at random.  An outage takes the network of a hub: what waits there surely never started
and is dispatched again; what was printing is lost until a person has looked, who finds it
going on or spoilt.  Only then is it printed again.

All figures (load, outages, prices, CO2e) are the project's own, made up to be plausible.
"""

import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from labkit.printing.hubs.dispatch import Policy, distance_km
from labkit.printing.hubs.fairness import Waiting, next_of
from labkit.printing.hubs.suitability import Need, Place, Priority, Shut, reasons_against

START = datetime(2026, 1, 5, tzinfo=UTC)
PROFILES = {"MK3S": ("a" * 64, (250.0, 210.0, 210.0)), "Ender-3": ("b" * 64, (220.0, 220.0, 250.0))}
LOAD = 0.7
"""Hours of printing asked for, over the hours that all printers have meanwhile."""
GOES_ON = 0.6
"""Share of the prints that an outage of the network leaves alone."""
RETRY_H = 2.0
SETTLED_H = 200.0
"""By then every closed time is over: what has no place then, gets none by waiting."""
END_H = 24.0 * 30

Chooser = Callable[[Need, list[Place], Policy, datetime, np.random.Generator], Place | None]
Rng = np.random.Generator


def moment(hour: float) -> datetime:
    """The time of an hour of the simulation."""
    return START + timedelta(hours=hour)


@dataclass
class Request:
    """One part that is asked for, and what became of it."""

    need: Need
    asked_h: float
    waiting: Waiting
    begun_h: float | None = None
    done_h: float | None = None
    printed: int = 0
    lost: int = 0
    rerouted: int = 0
    eur: float = 0.0
    co2e_kg: float = 0.0
    km: float = 0.0


@dataclass
class Printer:
    """A printer: as it is, as its hub states it, and what it is doing."""

    true: Place
    stated: Place
    hub: int
    queue: list[Request] = field(default_factory=list)
    running: Request | None = None
    busy_until_h: float = 0.0
    run: int = 0
    lost: bool = False
    cache: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """Printers, requests (need and hour) and outages (hub, hour, hours); the same for all."""

    places: list[tuple[Place, Place, int]]
    asked: list[tuple[Need, float]]
    outages: list[tuple[int, float, float]]


def make_world(hubs: int, requests: int, seed: int) -> World:
    """A network and what it is asked for, by seed."""
    rng = np.random.default_rng(seed)
    entities = rng.uniform((47.5, 6.5), (54.5, 14.5), size=(max(2, hubs // 8), 2))
    homes = rng.uniform((47.5, 6.5), (54.5, 14.5), size=(hubs, 2))
    owner = [int(np.argmin(((entities - home) ** 2).sum(axis=1))) for home in homes]
    places: list[tuple[Place, Place, int]] = []
    for hub in range(hubs):
        at = float(homes[hub][0]), float(homes[hub][1])
        places += _printers(hub, f"trust-{owner[hub]}", at, rng)
    asked = list(_asked(places, hubs, requests, rng))
    last_h = asked[-1][1]
    outages = [
        (hub, float(hour), float(rng.lognormal(math.log(6), 0.8)))
        for hub in range(hubs)
        for hour in rng.uniform(0, last_h, rng.poisson(last_h / 240))
    ]
    return World(places, asked, outages)


def _printers(
    hub: int, entity: str, at: tuple[float, float], rng: Rng
) -> Iterator[tuple[Place, Place, int]]:
    grid, km_eur, km_co2e = rng.uniform((0.05, 0.4, 0.1), (0.7, 0.8, 0.25))
    silent = rng.random(2) < 0.1
    for number in range(int(rng.integers(2, 5))):
        profile = "MK3S" if rng.random() < 0.6 else "Ender-3"
        shut_h = float(rng.uniform(0, 120))
        shut = Shut(moment(shut_h), moment(shut_h + 4), "maintenance")
        more = {name for name, share in (("PETG", 0.7), ("TPU95A", 0.3)) if rng.random() < share}
        true = Place(
            hub=f"hub-{hub:03}",
            legal_entity=entity,
            printer=f"bench-{number}",
            technology="material extrusion",
            profile=profile,
            profile_sha256=PROFILES[profile][0],
            room_mm=PROFILES[profile][1],
            nozzle_mm=0.4,
            materials=frozenset({"PLA", *more}),
            procedures=frozenset({"model"} | ({"guide"} if rng.random() < 0.6 else set())),
            calibration_due=date(2026, 1, 7) if rng.random() < 0.05 else date(2027, 1, 1),
            free_at=START,
            shut=(shut,),
            at_deg=at,
            power_w=float(rng.uniform(80, 130)),
            eur_per_hour=float(rng.uniform(1, 4)),
            grid_co2e_kg_per_kwh=float(grid),
            transport_co2e_kg_per_km=float(km_co2e),
            transport_eur_per_km=float(km_eur),
        )
        stated = replace(
            true,
            eur_per_hour=None if silent[0] else true.eur_per_hour,
            grid_co2e_kg_per_kwh=None if silent[1] else true.grid_co2e_kg_per_kwh,
        )
        yield true, stated, hub


def _asked(
    places: Sequence[tuple[Place, Place, int]], hubs: int, requests: int, rng: Rng
) -> Iterator[tuple[Need, float]]:
    own = [[true for true, _, of in places if of == hub] for hub in range(hubs)]
    print_h = np.clip(rng.lognormal(math.log(3), 0.7, requests), 0.3, 20)
    every_h = float(print_h.mean()) / (LOAD * len(places))
    hours = np.cumsum(rng.exponential(every_h, requests))
    for number in range(requests):
        hub = int(rng.integers(hubs))
        sliced_for = own[hub][int(rng.integers(len(own[hub])))]
        priority: Priority = rng.choice(["emergency", "urgent", "routine"], p=[0.05, 0.2, 0.75])
        in_house = rng.random() < 0.7
        need = Need(
            name=f"C-{number:05}",
            hub=sliced_for.hub,
            legal_entity=sliced_for.legal_entity,
            profile=sliced_for.profile,
            profile_sha256=sliced_for.profile_sha256,
            size_mm=tuple(map(float, rng.uniform(20, 200, 3))),
            material=str(rng.choice(sorted(sliced_for.materials))),
            print_time_s=float(print_h[number] * 3600),
            mass_g=float(print_h[number] * 12),
            at_deg=sliced_for.at_deg,
            nozzle_mm=0.4,
            procedure=str(rng.choice(sorted(sliced_for.procedures))),
            priority=str(priority),
            pathway="in-house device" if in_house else "custom-made device",
            consent_to_other_entity="" if in_house else "the agreement of 2026-01-01",
        )
        yield need, float(hours[number])


class Simulation:
    """What happens in a world when places are chosen and queues are ordered in one way."""

    def __init__(
        self, world: World, choose: Chooser, policy: Policy, seed: int, *, priorities: bool = True
    ) -> None:
        self.printers = [Printer(true, stated, hub) for true, stated, hub in world.places]
        self.by_name = {each.true.name: each for each in self.printers}
        self.requests = [
            Request(need, hour, Waiting(need.name, moment(hour), need.priority))
            for need, hour in world.asked
        ]
        self.choose, self.policy, self.rng = choose, policy, np.random.default_rng(seed)
        self.queue_policy = (
            policy if priorities else policy.model_copy(update={"head_start_h": _EVEN})
        )
        self.down: dict[int, int] = {}
        self.unplaced: list[Request] = []
        self.decisions, self.decided_s = 0, 0.0
        self.now_h = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        for request in self.requests:
            self._at(request.asked_h, lambda request=request: self._dispatch(request))
        for hub, hour, hours in world.outages:
            self._at(hour, lambda hub=hub, hours=hours: self._outage(hub, hours))
        self._at(RETRY_H, self._retry)

    def run(self) -> "Simulation":
        """To the end: nothing is to happen any more."""
        while self._events:
            self.now_h, _, happens = heapq.heappop(self._events)
            if self.now_h > END_H:
                break
            happens()
        return self

    def _at(self, hour: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (hour, next(self._number), happens))

    def _dispatch(self, request: Request) -> None:
        places = [self._place(each, request.need.priority) for each in self.printers]
        began = time.perf_counter()
        chosen = self.choose(request.need, places, self.policy, moment(self.now_h), self.rng)
        self.decided_s += time.perf_counter() - began
        self.decisions += 1
        if chosen is None:
            self.unplaced.append(request)
            return
        printer = self.by_name[chosen.name]
        printer.queue.append(request)
        self._begin(printer)

    def _place(self, printer: Printer, priority: Priority) -> Place:
        """The printer as a place, with what would be printed there before this priority."""
        own = moment(self.now_h) - timedelta(hours=self.queue_policy.head_start_h.of(priority))
        ahead_h = sum(
            each.need.print_time_s / 3600
            for each in printer.queue
            if each.waiting.asked_at
            - timedelta(hours=self.queue_policy.head_start_h.of(each.need.priority))
            <= own
        )
        free_at = moment(
            max(printer.busy_until_h, self.now_h) + ahead_h if ahead_h else printer.busy_until_h
        )
        unreachable = "an outage" if printer.hub in self.down else ""
        kept = printer.cache.get(priority)
        if kept is None or kept.free_at != free_at or kept.unreachable != unreachable:
            kept = replace(printer.stated, free_at=free_at, unreachable=unreachable)
            printer.cache[priority] = kept
        return kept

    def _begin(self, printer: Printer) -> None:
        """Start what is next, if the printer is free; what cannot start now goes elsewhere."""
        while printer.queue and printer.running is None and printer.hub not in self.down:
            line = {each.waiting: each for each in printer.queue}
            following = next_of(list(line), moment(self.now_h), self.queue_policy)
            assert following is not None
            request = line[following]
            printer.queue.remove(request)
            here = replace(printer.true, free_at=moment(self.now_h))
            if reasons_against(request.need, here, moment(self.now_h)):
                request.rerouted += 1
                self.unplaced.append(request)
                continue
            hours = request.need.print_time_s / 3600
            request.begun_h = request.begun_h if request.begun_h is not None else self.now_h
            printer.running, printer.busy_until_h = request, self.now_h + hours
            printer.run += 1
            self._at(printer.busy_until_h, lambda run=printer.run: self._end(printer, run))

    def _end(self, printer: Printer, run: int) -> None:
        if printer.run != run or printer.running is None:
            return  # lost meanwhile: whoever looks will say
        self._finished(printer, printer.running, self.now_h)
        printer.running = None
        self._begin(printer)

    def _finished(self, printer: Printer, request: Request, hour: float) -> None:
        request.printed += 1
        request.done_h = hour
        place, hours = printer.true, request.need.print_time_s / 3600
        km = (
            0.0 if place.hub == request.need.hub else distance_km(request.need.at_deg, place.at_deg)
        )
        energy_kwh = place.power_w * hours / 1000
        request.km += km
        request.eur += hours * place.eur_per_hour + km * place.transport_eur_per_km
        request.co2e_kg += energy_kwh * place.grid_co2e_kg_per_kwh
        request.co2e_kg += km * place.transport_co2e_kg_per_km

    def _outage(self, hub: int, hours: float) -> None:
        self.down[hub] = self.down.get(hub, 0) + 1
        self._at(self.now_h + hours, lambda: self._back(hub))
        for printer in (each for each in self.printers if each.hub == hub):
            moved, printer.queue = printer.queue, []
            for request in moved:  # surely never started
                request.rerouted += 1
                self._dispatch(request)
            if printer.running is not None and not printer.lost:
                self._lose(printer, printer.running)

    def _lose(self, printer: Printer, request: Request) -> None:
        request.lost += 1
        printer.run += 1
        printer.lost = True
        goes_on = bool(self.rng.random() < GOES_ON)
        look_h = self.now_h + float(self.rng.uniform(1, 8))
        until_h = max(look_h, printer.busy_until_h) if goes_on else look_h
        printer.busy_until_h = until_h
        self._at(until_h, lambda: self._looked(printer, request, goes_on))

    def _looked(self, printer: Printer, request: Request, goes_on: bool) -> None:
        printer.running, printer.lost = None, False
        if goes_on:
            self._finished(printer, request, self.now_h)
        else:
            hours = request.need.print_time_s / 3600 / 2
            request.eur += hours * printer.true.eur_per_hour  # spoilt half-way, on average
            self._dispatch(request)
        self._begin(printer)

    def _back(self, hub: int) -> None:
        self.down[hub] -= 1
        if not self.down[hub]:
            del self.down[hub]
            for printer in (each for each in self.printers if each.hub == hub):
                self._begin(printer)

    def _retry(self) -> None:
        waiting, self.unplaced = self.unplaced, []
        while waiting:
            line = {each.waiting: each for each in waiting}
            following = next_of(list(line), moment(self.now_h), self.queue_policy)
            assert following is not None
            waiting.remove(line[following])
            self._dispatch(line[following])
        if self._events or (self.unplaced and self.now_h < SETTLED_H):
            self._at(self.now_h + RETRY_H, self._retry)


_EVEN = Policy().head_start_h.model_copy(update={"emergency": 0.0, "urgent": 0.0, "routine": 0.0})
