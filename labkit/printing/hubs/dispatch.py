"""Where a print goes: hard rules first, then the smallest weighted cost, with the reasons.

Everything that counts is brought to one unit, EUR, by the weights of a `Policy`; the lab's
own stand in ``dispatch.yaml`` in its folder.  A figure that a place does not state counts
as the worst that any other candidate states, so that nobody wins by saying nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import InputError
from labkit.home import home_folder
from labkit.printing.hubs.suitability import Need, Place, Place2D, Priority, reasons_against
from labkit.profiles import first_fault

EARTH_RADIUS_KM = 6371.0088
"""Mean radius R1 (GRS 80; Moritz, J. Geod. 74, 128 (2000), doi:10.1007/s001900050278)."""

JOULES_PER_KWH = 3.6e6
SECONDS_PER_HOUR = 3600

NotNegative = Annotated[float, Field(ge=0)]


class PerPriority(BaseModel):
    """A figure for each priority."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    emergency: NotNegative
    urgent: NotNegative
    routine: NotNegative

    def of(self, priority: Priority) -> float:
        """The figure of one priority."""
        return float(getattr(self, priority))


class Policy(BaseModel):
    """What counts how much, in EUR; and how long a higher priority goes first.

    The values are the project's own, to begin with: a lab settles its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    eur_per_hour_waited: PerPriority = Field(
        default=PerPriority(emergency=60, urgent=10, routine=3),
        description="what an hour until the print is done is worth; also to those behind it",
    )
    eur_per_hour_late: NotNegative = Field(default=20, description="beyond the time it is due")
    eur_per_eur: NotNegative = Field(default=1, description="the printer's hours and transport")
    eur_per_km: NotNegative = Field(default=0.1, description="trouble with carrying the part")
    eur_per_kg_co2e: NotNegative = Field(default=0.2, description="energy of print, transport")
    head_start_h: PerPriority = Field(
        default=PerPriority(emergency=72, urgent=24, routine=0),
        description="how much earlier a request of this priority counts as asked",
    )


def lab_policy() -> Policy:
    """The policy in ``dispatch.yaml`` of the lab's folder; without one, the kit's.

    Raises
    ------
    InputError
        The file cannot be read, or is not a policy.
    """
    path = home_folder() / "dispatch.yaml"
    if not path.is_file():
        return Policy()
    try:
        return Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        found = f"the policy's {first_fault(error, 'whole')}"
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found = f"dispatch.yaml cannot be read ({type(error).__name__})"
    raise InputError(
        found,
        expected="the fields " + ", ".join(Policy.model_fields),
        where=str(path),
        fix="correct it; what is left out is as the kit has it",
    )


@dataclass(frozen=True)
class Terms:
    """What a print at a place takes; None: the place does not state it."""

    hours_until_done: float
    hours_late: float
    distance_km: float | None
    cost_eur: float | None
    co2e_kg: float | None


@dataclass(frozen=True)
class Ranked:
    """A place that may print, what it takes there, and what that weighs.

    Parameters
    ----------
    terms : as the place states them.
    counted_eur : each term times its weight; a term that is not known as the worst known.
    assumed : the terms that are not known here and count as the worst known, or as nothing
        where no candidate knows them.
    """

    place: Place
    done_at: datetime
    terms: Terms
    counted_eur: dict[str, float]
    assumed: tuple[str, ...]

    @property
    def score_eur(self) -> float:
        """The sum of what counts: the smaller, the better."""
        return sum(self.counted_eur.values())


@dataclass(frozen=True)
class Refusal:
    """A place that may not print it, and every reason."""

    place: Place
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """Where a print goes; the ranking of all that may, and the reasons against the others."""

    need: Need
    ranking: tuple[Ranked, ...]
    refusals: tuple[Refusal, ...]

    @property
    def chosen(self) -> Place | None:
        """The place, or None if nobody may print it now."""
        return self.ranking[0].place if self.ranking else None

    @property
    def why(self) -> str:
        """One paragraph for a technician; of many other places the first few."""
        refused = _some(
            [f"{one.place.name}: {'; '.join(one.reasons)}" for one in self.refusals], ". "
        )
        without = f" Not possible: {refused}." if refused else ""
        if not self.ranking:
            asked = "no place may print it now" if refused else "no place was asked"
            return f"{self.need.name} goes nowhere: {asked}.{without}"
        best, *others = self.ranking
        after = _some([f"{one.place.name} {one.score_eur:.2f} EUR" for one in others], ", ")
        then = f" After it: {after}." if after else ""
        return f"{self.need.name} goes to {_sentence(best)}.{then}{without}"

    def as_dict(self) -> dict[str, Any]:
        """The decision for a record or for ``--json``."""
        return {
            "need": self.need.name,
            "chosen": self.chosen.name if self.chosen else None,
            "why": self.why,
            "ranking": [
                {
                    "place": one.place.name,
                    "done_at": one.done_at.isoformat(timespec="seconds"),
                    "score_eur": one.score_eur,
                    "terms": vars(one.terms),
                    "counted_eur": one.counted_eur,
                    "assumed": list(one.assumed),
                }
                for one in self.ranking
            ],
            "refusals": {one.place.name: list(one.reasons) for one in self.refusals},
        }


def choose(need: Need, places: Iterable[Place], policy: Policy, now: datetime) -> Decision:
    """Where a print goes, of these places, at this moment.

    The same places in any order give the same decision: equal scores go to the place
    that is done first, then by name.
    """
    candidates, refusals = [], []
    for place in places:
        if reasons := reasons_against(need, place, now):
            refusals.append(Refusal(place, tuple(reasons)))
        else:
            candidates.append(place)
    ranking = ranked(need, candidates, policy, now)
    ranking.sort(key=lambda one: (one.score_eur, one.done_at, one.place.name))
    refusals.sort(key=lambda one: one.place.name)
    return Decision(need, tuple(ranking), tuple(refusals))


def ranked(need: Need, candidates: Sequence[Place], policy: Policy, now: datetime) -> list[Ranked]:
    """What the print takes at each of the places, in their order."""
    weights = {
        "hours_until_done": policy.eur_per_hour_waited.of(need.priority),
        "hours_late": policy.eur_per_hour_late,
        "distance_km": policy.eur_per_km,
        "cost_eur": policy.eur_per_eur,
        "co2e_kg": policy.eur_per_kg_co2e,
    }
    stated = [terms_of(need, place, now) for place in candidates]
    worst = {
        term: max((value for one in stated if (value := getattr(one, term)) is not None), default=0)
        for term in weights
    }
    rows = []
    for place, terms in zip(candidates, stated, strict=True):
        told = vars(terms)
        assumed = tuple(term for term in weights if told[term] is None)
        counted = {
            term: weight * (worst[term] if told[term] is None else told[term])
            for term, weight in weights.items()
        }
        rows.append(Ranked(place, place.time_of(need, now)[1], terms, counted, assumed))
    return rows


def terms_of(need: Need, place: Place, now: datetime) -> Terms:
    """What the print takes at this place, as far as the place states it.

    Energy is mean power times time; transport is one way along the great circle.  At the
    hub that asked nothing is carried.
    """
    done_at = place.time_of(need, now)[1]
    hours = need.print_time_s / SECONDS_PER_HOUR
    late = (done_at - need.due).total_seconds() if need.due else 0.0
    km = 0.0 if place.hub == need.hub else distance_km(need.at_deg, place.at_deg)
    energy_kwh = _product(place.power_w, need.print_time_s / JOULES_PER_KWH)
    return Terms(
        hours_until_done=(done_at - now).total_seconds() / SECONDS_PER_HOUR,
        hours_late=max(late, 0.0) / SECONDS_PER_HOUR,
        distance_km=km,
        cost_eur=_sum(
            _product(place.eur_per_hour, hours), _carried(place.transport_eur_per_km, km)
        ),
        co2e_kg=_sum(
            _product(place.grid_co2e_kg_per_kwh, energy_kwh),
            _carried(place.transport_co2e_kg_per_km, km),
        ),
    )


def distance_km(one: Place2D | None, other: Place2D | None) -> float | None:
    """Great-circle distance of two places (latitude, longitude in degrees); None if unknown.

    Haversine formula on a sphere (Sinnott, Sky & Telescope 68, 159 (1984)): within 0.6 % of
    the ellipsoid.
    """
    if one is None or other is None:
        return None
    (lat_1, lon_1), (lat_2, lon_2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = (
        math.sin((lat_2 - lat_1) / 2) ** 2
        + math.cos(lat_1) * math.cos(lat_2) * math.sin((lon_2 - lon_1) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half)))


def _carried(per_km: float | None, km: float | None) -> float | None:
    return 0.0 if km == 0 else _product(per_km, km)


def _product(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first * second


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


_MINUTES = "{:.0f} min until it is done"
_UNITS = {
    "hours_until_done": "{:.1f} h until it is done",
    "hours_late": "{:.1f} h late",
    "distance_km": "{:.0f} km away",
    "cost_eur": "{:.2f} EUR",
    "co2e_kg": "{:.2f} kg CO2e",
}


def _some(told: list[str], between: str, most: int = 6) -> str:
    more = [f"{len(told) - most} more"] if len(told) > most else []
    return between.join([*told[:most], *more])


def _sentence(best: Ranked) -> str:
    told = vars(best.terms)
    known = [
        text.format(told[term])
        for term, text in _UNITS.items()
        if told[term] is not None and (term != "hours_late" or told[term] > 0)
    ]
    if best.terms.hours_until_done < 1:
        known[0] = _MINUTES.format(60 * best.terms.hours_until_done)
    silent = ""
    if best.assumed:
        names = ", ".join(term.rpartition("_")[0] for term in best.assumed)
        silent = f"; not known there and counted as the worst that others state: {names}"
    return f"{best.place.name}: {', '.join(known)}, {best.score_eur:.2f} EUR in all{silent}"
