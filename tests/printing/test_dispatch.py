from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.printing.hubs.dispatch import Policy, choose, distance_km, lab_policy
from labkit.printing.hubs.fairness import Waiting, counts_from, next_of
from labkit.printing.hubs.suitability import (
    Need,
    Place,
    Priority,
    Shut,
    reasons_against,
    transfer_refusal,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

NEED = Need(
    name="C-1",
    hub="north",
    legal_entity="North Trust",
    profile="MK3S",
    profile_sha256="a" * 64,
    size_mm=(100, 50, 20),
    material="PLA",
    print_time_s=7200,
    mass_g=30,
    nozzle_mm=0.4,
    procedure="practice",
    at_deg=(52.0, 8.0),
)
PLACE = Place(
    hub="north",
    legal_entity="North Trust",
    printer="bench-1",
    technology="material extrusion",
    profile="MK3S",
    profile_sha256="a" * 64,
    room_mm=(250, 210, 210),
    nozzle_mm=0.4,
    materials=frozenset({"PLA"}),
    procedures=frozenset({"practice"}),
    calibration_due=date(2026, 12, 1),
    free_at=NOW,
    at_deg=(52.0, 8.0),
    power_w=100,
    eur_per_hour=2,
    grid_co2e_kg_per_kwh=0.4,
    transport_co2e_kg_per_km=0.1,
    transport_eur_per_km=0.5,
)
AWAY = replace(PLACE, hub="south", at_deg=(52.0, 9.0))


def test_nothing_speaks_against_a_place_that_fits() -> None:
    assert reasons_against(NEED, PLACE, NOW) == []


@pytest.mark.parametrize(
    ("place", "need", "told"),
    [
        ({"profile": "Ender-3"}, {}, "sliced for the profile MK3S, the printer has Ender-3"),
        ({"profile_sha256": "b" * 64}, {}, "another version of the profile"),
        ({"profile_sha256": ""}, {}, "this lab has no profile MK3S"),
        ({"technology": "vat photopolymerisation"}, {}, "not material extrusion"),
        ({}, {"material": "PEEK"}, "no PEEK there"),
        ({}, {"size_mm": (50, 211, 20)}, "211.0 mm along y, the printer has 210.0 mm"),
        ({}, {"nozzle_mm": 0.6}, "a nozzle of 0.4 mm, not 0.6 mm"),
        ({}, {"procedure": "guide"}, "not qualified for the procedure guide"),
        ({"why_not": "paused since x: water"}, {}, "the hub may not print: paused"),
        ({"unreachable": "no answer"}, {}, "not reachable: no answer"),
        ({"calibration_due": None}, {}, "is not stated"),
        ({"calibration_due": date(2026, 5, 31)}, {}, "its calibration ends on 2026-05-31"),
        ({"legal_entity": "South Trust"}, {}, "EU MDR Art. 5(5)(a)"),
    ],
)
def test_each_rule_gives_its_reason(place: dict[str, Any], need: dict[str, Any], told: str) -> None:
    reasons = reasons_against(replace(NEED, **need), replace(PLACE, **place), NOW)
    assert len(reasons) == 1 and told in reasons[0]


def test_a_part_is_not_turned_since_the_gcode_is_frozen() -> None:
    tall = replace(NEED, size_mm=(200, 240, 20))  # it would fit turned by 90 degrees
    assert "along y" in reasons_against(tall, PLACE, NOW)[0]


def test_calibration_counts_when_the_print_ends() -> None:
    last = replace(PLACE, calibration_due=NOW.date())
    assert reasons_against(NEED, last, NOW) == []
    assert reasons_against(replace(NEED, print_time_s=13 * 3600), last, NOW)
    assert reasons_against(NEED, replace(last, free_at=NOW + 11 * HOUR), NOW)


@pytest.mark.parametrize(
    ("begins", "ends", "fits"),
    [(-2, 0, True), (2, 3, True), (1, 3, False), (-1, 1, False), (-1, 9, False), (0.5, 1, False)],
)
def test_a_window_is_not_printed_into(begins: float, ends: float, fits: bool) -> None:
    place = replace(PLACE, shut=(Shut(NOW + begins * HOUR, NOW + ends * HOUR, "belts"),))
    reasons = reasons_against(NEED, place, NOW)
    assert (reasons == []) is fits
    assert fits or "belts" in reasons[0]


def test_another_legal_entity_takes_pathway_and_consent() -> None:
    assert "Art. 5(5)" in transfer_refusal("in-house device", "the board, 2026-01-01")
    assert "nobody consented" in transfer_refusal("custom-made device", " ")
    assert transfer_refusal("custom-made device", "the board, 2026-01-01") == ""
    place = replace(PLACE, legal_entity="South Trust")
    willing = replace(NEED, pathway="no device", consent_to_other_entity="head, 2026-01-01")
    assert reasons_against(willing, place, NOW) == []


def test_the_decision_says_why() -> None:
    bad = replace(PLACE, printer="bench-2", materials=frozenset({"PETG"}), unreachable="no answer")
    decision = choose(NEED, [AWAY, bad, PLACE], Policy(), NOW)
    assert decision.chosen == PLACE
    assert decision.why == (
        "C-1 goes to north/bench-1: 2.0 h until it is done, 0 km away, 4.00 EUR, 0.08 kg CO2e, "
        "10.02 EUR in all. After it: south/bench-1 52.46 EUR. Not possible: north/bench-2: "
        "no PLA there; not reachable: no answer."
    )
    told = decision.as_dict()
    assert told["chosen"] == "north/bench-1"
    assert told["ranking"][1]["terms"]["distance_km"] == pytest.approx(68.46, abs=0.01)


def test_of_many_places_the_first_few_are_named() -> None:
    many = [replace(PLACE, printer=f"p{n:02}", unreachable="no answer") for n in range(20)]
    why = choose(NEED, [PLACE, *many], Policy(), NOW).why
    assert why.count("no answer") == 6 and why.endswith("no answer. 14 more.")


def test_nowhere() -> None:
    assert choose(NEED, [], Policy(), NOW).why == "C-1 goes nowhere: no place was asked."
    decision = choose(NEED, [replace(PLACE, unreachable="no answer")], Policy(), NOW)
    assert decision.chosen is None
    assert "Not possible: north/bench-1: not reachable: no answer." in decision.why


def test_an_emergency_goes_further_than_a_routine_print() -> None:
    busy = replace(PLACE, free_at=NOW + 10 * HOUR)
    told: tuple[tuple[Priority, str], ...] = (("routine", "north"), ("emergency", "south"))
    for priority, hub in told:
        need = replace(NEED, priority=priority)
        chosen = choose(need, [busy, AWAY], Policy(), NOW).chosen
        assert chosen is not None and chosen.hub == hub


def test_being_late_counts() -> None:
    busy = replace(PLACE, free_at=NOW + 10 * HOUR)
    chosen = choose(replace(NEED, due=NOW + 8 * HOUR), [busy, AWAY], Policy(), NOW).chosen
    assert chosen is not None and chosen.hub == "south"


FIGURES = ("power_w", "eur_per_hour", "grid_co2e_kg_per_kwh", "transport_co2e_kg_per_km", "at_deg")


@given(st.sets(st.sampled_from(FIGURES), min_size=1), st.integers(0, 5))
def test_nobody_wins_by_saying_nothing(left_out: set[str], free_h: int) -> None:
    others = [replace(AWAY, printer=f"p{n}", eur_per_hour=n, power_w=50 * n) for n in (1, 2, 3)]
    open_one = replace(AWAY, printer="open", free_at=NOW + free_h * HOUR)
    silent = replace(open_one, printer="silent", **dict.fromkeys(left_out))  # type: ignore[arg-type]
    ranking = choose(NEED, [silent, open_one, *others], Policy(), NOW).ranking
    score = {one.place.printer: one.score_eur for one in ranking}
    assert score["silent"] >= score["open"] - 1e-9
    assumed = next(one.assumed for one in ranking if one.place.printer == "silent")
    assert assumed


def test_what_nobody_knows_counts_nothing_and_is_said() -> None:
    place = replace(PLACE, eur_per_hour=None)
    decision = choose(NEED, [place], Policy(), NOW)
    assert decision.ranking[0].counted_eur["cost_eur"] == 0
    assert "not known there and counted as the worst that others state: cost" in decision.why


@given(st.permutations(range(4)))
def test_the_order_of_places_does_not_matter(order: list[int]) -> None:
    four = [replace(PLACE, printer=f"p{n}") for n in range(4)]
    decision = choose(NEED, [four[n] for n in order], Policy(), NOW)
    assert [one.place.printer for one in decision.ranking] == ["p0", "p1", "p2", "p3"]


def test_distances() -> None:
    assert distance_km((0, 0), (0, 180)) == pytest.approx(20015.1, abs=0.1)
    # Paris - London, 343.5 km on this sphere (Haversine by hand)
    assert distance_km((48.8566, 2.3522), (51.5074, -0.1278)) == pytest.approx(343.6, abs=0.2)
    assert distance_km(None, (0, 0)) is None
    assert distance_km((1, 1), (1, 1)) == 0


def test_a_print_that_takes_no_time_is_a_fault_of_the_code() -> None:
    with pytest.raises(ValueError, match="30 g in 0 s"):
        replace(NEED, print_time_s=0)


def test_the_labs_own_policy(lab_home: Path) -> None:
    assert lab_policy() == Policy()
    (lab_home / "dispatch.yaml").write_text("eur_per_km: 3\n")
    assert lab_policy().eur_per_km == 3
    for text in ("eur_per_km: -1\n", "eur_per_mile: 1\n", "[", "- 1\n"):
        (lab_home / "dispatch.yaml").write_text(text)
        with pytest.raises(InputError):
            lab_policy()


# --- the queue ---------------------------------------------------------------------------


def test_higher_priorities_first_then_the_earlier() -> None:
    line = [
        Waiting("r", NOW - HOUR),
        Waiting("u2", NOW - 2 * HOUR, "urgent"),
        Waiting("u1", NOW - 3 * HOUR, "urgent"),
        Waiting("e", NOW, "emergency"),
    ]
    names = []
    while (one := next_of(line, NOW, Policy())) is not None:
        names.append(one.name)
        line.remove(one)
    assert names == ["e", "u1", "u2", "r"]


def test_a_clock_that_runs_ahead_wins_nothing() -> None:
    assert counts_from(Waiting("a", NOW + HOUR), NOW, Policy()) == NOW
    assert next_of([Waiting("b", NOW), Waiting("a", NOW + HOUR)], NOW, Policy()) == Waiting(
        "a", NOW + HOUR
    )


@given(
    print_h=st.floats(0.5, 12),
    per_print=st.floats(0.5, 1.0),
    ahead=st.integers(0, 20),
    priorities=st.lists(st.sampled_from(["emergency", "urgent"]), min_size=1, max_size=7),
)
def test_nobody_waits_for_ever(
    print_h: float, per_print: float, ahead: int, priorities: list[Any]
) -> None:
    """One printer, always something more urgent: the routine print begins within the bound.

    What may begin before it: what waited, and what is asked for within the head start.
    """
    policy = Policy()
    asked_every_h = print_h / per_print  # the stream that fills the printer to this share
    head_start_h = policy.head_start_h.emergency - policy.head_start_h.routine
    line = [Waiting(f"old{n}", NOW, "emergency") for n in range(ahead)]
    line.append(Waiting("routine", NOW))
    within = int(head_start_h / asked_every_h + 1e-6) + 1  # times are kept to the microsecond
    begun, at_h, number = 0, 0.0, 0
    while True:
        while (asked_h := number * asked_every_h) <= at_h:
            priority = priorities[number % len(priorities)]
            line.append(Waiting(f"new{number}", NOW + asked_h * HOUR, priority))
            number += 1
        one = next_of(line, NOW + at_h * HOUR, policy)
        if one is None:
            at_h = asked_h
            continue
        if one.name == "routine":
            break
        line.remove(one)
        begun, at_h = begun + 1, at_h + print_h
        assert begun <= ahead + within
