"""The dispatch policy against simpler ones, in a made-up network of 200 hubs.

``python benchmarks/dispatch.py [--hubs N] [--requests N] [--seed N]``: writes
``benchmarks/data/dispatch.csv`` (a row for each way and priority), prints it, and whether the
limits hold.  The world is in ``network.py``; every way meets the same requests and outages,
and the same hard rules.  About four minutes.
"""

import argparse
import csv
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from network import START, Chooser, Request, Rng, Simulation, World, make_world, moment

from labkit.files import written_whole
from labkit.printing.hubs.dispatch import Policy, choose, distance_km
from labkit.printing.hubs.suitability import Need, Place, reasons_against

Row = dict[str, str]

TABLE = Path(__file__).parent / "data" / "dispatch.csv"
PRIORITIES = "emergency", "urgent", "routine"

LONGEST_WAIT_H = 96.0
"""Nobody who can be served begins later: the head start of an emergency and a day (the
project's own)."""
SLOWEST_PER_S = 20.0
"""Decisions a second among 600 printers (the project's own)."""


def by_policy(
    need: Need, places: list[Place], policy: Policy, now: datetime, _: Rng
) -> Place | None:
    """As the kit chooses."""
    return choose(need, places, policy, now).chosen


def _of_capable(pick: Callable[[Need, list[Place], Rng], Place]) -> Chooser:
    def chooser(
        need: Need, places: list[Place], _policy: Policy, now: datetime, rng: Rng
    ) -> Place | None:
        able = [place for place in places if not reasons_against(need, place, now)]
        return pick(need, able, rng) if able else None

    return chooser


def _random(_: Need, able: list[Place], rng: Rng) -> Place:
    return able[int(rng.integers(len(able)))]


def _nearest(need: Need, able: list[Place], _: Rng) -> Place:
    return min(able, key=lambda place: (distance_km(need.at_deg, place.at_deg), place.free_at))


def _shortest(_: Need, able: list[Place], __: Rng) -> Place:
    return min(able, key=lambda place: (max(place.free_at, START), place.name))


WAYS: dict[str, tuple[Chooser, bool]] = {
    "labkit": (by_policy, True),
    "first in, first out": (by_policy, False),
    "random": (_of_capable(_random), True),
    "nearest": (_of_capable(_nearest), True),
    "shortest queue": (_of_capable(_shortest), True),
}
"""How the place is chosen, and whether queues know priorities."""


def rows_of(world: World, seed: int, ways: Sequence[str] = tuple(WAYS)) -> list[Row]:
    """A row for each way and priority, and one for all priorities."""
    rows = []
    for way in ways:
        chooser, priorities = WAYS[way]
        done = Simulation(world, chooser, Policy(), seed, priorities=priorities).run()
        for priority in (*PRIORITIES, "all"):
            of = [r for r in done.requests if priority in (r.need.priority, "all")]
            rows.append({"way": way, "priority": priority} | _figures(of, done))
    return rows


def _figures(requests: list[Request], done: Simulation) -> Row:
    ended = [one for one in requests if one.done_h is not None]
    policy = done.policy
    hours = np.array([one.done_h - one.asked_h for one in ended])
    waits = np.array([one.begun_h - one.asked_h for one in ended])
    rates = np.array([one.need.print_time_s / 3600 for one in ended]) / hours
    eur, km, co2e_kg = (
        sum(getattr(one, name) for one in ended) for name in ("eur", "km", "co2e_kg")
    )
    waited = sum(
        policy.eur_per_hour_waited.of(one.need.priority) * (one.done_h - one.asked_h)
        for one in ended
    )
    weighted = waited + eur + policy.eur_per_km * km + policy.eur_per_kg_co2e * co2e_kg
    unexplained = [one for one in requests if one.done_h is None and not _explained(one, done)]
    return {
        "requests": str(len(requests)),
        "finished_percent": f"{100 * len(ended) / len(requests):.2f}",
        "without_reason": str(len(unexplained)),
        "median_h": f"{np.median(hours):.2f}",
        "p95_h": f"{np.percentile(hours, 95):.2f}",
        "longest_wait_h": f"{waits.max():.1f}",
        "jain": f"{rates.sum() ** 2 / (len(rates) * (rates**2).sum()):.3f}",
        "eur_each": f"{eur / len(ended):.2f}",
        "co2e_kg_each": f"{co2e_kg / len(ended):.2f}",
        "km_each": f"{km / len(ended):.1f}",
        "weighted_eur_each": f"{weighted / len(ended):.2f}",
        "printed_twice": str(sum(one.printed > 1 for one in requests)),
        "rerouted": str(sum(one.rerouted for one in requests)),
        "lost_for_a_while": str(sum(one.lost for one in requests)),
        "decisions_per_s": f"{done.decisions / done.decided_s:.0f}",
    }


def _explained(request: Request, done: Simulation) -> bool:
    """Whether every place has a reason why the request has no place at the end."""
    decision = choose(
        request.need, [each.stated for each in done.printers], done.policy, moment(done.now_h)
    )
    return decision.chosen is None and len(decision.refusals) == len(done.printers)


def limits(rows: list[Row]) -> dict[str, bool]:
    """The pass lines, and whether each holds."""
    table = {(row["way"], row["priority"]): row for row in rows}
    ours = table["labkit", "all"]
    others = [way for way, _ in table if way not in ("labkit", "first in, first out")]

    def number(way: str, priority: str, name: str) -> float:
        return float(table[way, priority][name])

    fifo = "first in, first out"
    return {
        "every request is finished or has a reason": ours["without_reason"] == "0",
        "nothing is printed twice, in any way": all(row["printed_twice"] == "0" for row in rows),
        f"nobody waits longer than {LONGEST_WAIT_H:g} h": all(
            number("labkit", priority, "longest_wait_h") <= LONGEST_WAIT_H
            for priority in PRIORITIES
        ),
        "weighted cost below random, nearest and shortest queue": all(
            number("labkit", "all", "weighted_eur_each") < number(way, "all", "weighted_eur_each")
            for way in others
        ),
        "emergencies are done no later than first in, first out (95 %)": (
            number("labkit", "emergency", "p95_h") <= number(fifo, "emergency", "p95_h")
        ),
        f"at least {SLOWEST_PER_S:g} decisions a second": (
            float(ours["decisions_per_s"]) >= SLOWEST_PER_S
        ),
    }


def main() -> None:
    """Simulate, write and print the table, say which limits hold."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--hubs", type=int, default=200)
    words.add_argument("--requests", type=int, default=10_000)
    words.add_argument("--seed", type=int, default=7)
    asked = words.parse_args()
    world = make_world(asked.hubs, asked.requests, asked.seed)
    print(
        f"{asked.hubs} hubs, {len(world.places)} printers, {len(world.asked)} requests in "
        f"{world.asked[-1][1]:.0f} h, {len(world.outages)} outages, seed {asked.seed}"
    )
    rows = rows_of(world, asked.seed)
    with written_whole(TABLE) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    columns = ["median_h", "p95_h", "longest_wait_h", "jain", "eur_each", "co2e_kg_each", "km_each"]
    columns += ["weighted_eur_each", "finished_percent", "printed_twice", "decisions_per_s"]
    print(f"{'way':<21}{'priority':<11}" + "".join(f"{name:>19}" for name in columns))
    for row in rows:
        told = "".join(f"{row[name]:>19}" for name in columns)
        print(f"{row['way']:<21}{row['priority']:<11}{told}")
    for limit, holds in limits(rows).items():
        print(f"{'met' if holds else 'NOT MET'}: {limit}")


if __name__ == "__main__":
    main()
