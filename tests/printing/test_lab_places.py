"""Which printers the lab's queue may use: hubs, practice, and what must be encrypted."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labkit import equipment
from labkit.home import home_folder
from labkit.printing.case_prints import case_print
from labkit.printing.commands import submit
from labkit.printing.hubs.dispatch import Policy, choose
from labkit.printing.hubs.keys import own_keys
from labkit.printing.hubs.places import Live
from labkit.printing.hubs.registry import known_hubs
from labkit.printing.hubs.sending import receive, seal_case
from labkit.printing.hubs.states import change
from labkit.printing.hubs.suitability import Need
from labkit.printing.lab_places import lab_places, usable_printers
from labkit.printing.queue import Queue

from .network import entry, keys_in, printer, write_hubs
from .sliced_case import sliced_case

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)

PRINTERS = """
bench-1: {url: 'http://bench-1.north.example', key_file: k1}
far-1: {url: 'https://far-1.south.example', key_file: k2, profile: practice}
far-2: {url: 'http://far-2.south.example', key_file: k3}
spare: {url: 'http://spare.north.example', key_file: k4}
"""


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This lab is the hub north; south is of the same trust, and has two printers."""
    home = tmp_path / "north"
    monkeypatch.setenv("LABKIT_HOME", str(home))
    monkeypatch.delenv("LABKIT_DATABASE_URL", raising=False)
    theirs = keys_in(tmp_path / "south", pytest.MonkeyPatch)
    south = entry(theirs, printer("far-1"), printer("far-2"))
    hubs: dict[str, dict[str, Any]] = {
        "north": {**entry(own_keys(make=True), printer("bench-1")), "here": True},
        "south": south,
    }
    write_hubs(home, **hubs)
    (home / "printers.yaml").write_text(PRINTERS)
    for name in hubs:
        change("onboard", name, known_hubs(), by="QA", reason="first")
    # the other hub has the same table, seen from there
    write_hubs(
        tmp_path / "south", north={**hubs["north"], "here": False}, south=south | {"here": True}
    )
    return home


def need(**more: Any) -> Need:
    profile = equipment.printer("practice")
    told: dict[str, Any] = {
        "name": "C-1",
        "hub": "north",
        "legal_entity": "North Trust",
        "profile": "practice",
        "profile_sha256": profile.sha256,
        "size_mm": (10.0, 10.0, 10.0),
        "material": "PLA",
        "print_time_s": 600.0,
        "mass_g": 1.0,
        "procedure": "practice",
    }
    return Need(**told | more)


def test_a_printer_is_used_as_its_hub_states_it() -> None:
    names = usable_printers(["practice"])
    assert names == ("bench-1", "far-1", "far-2", "spare", "practice")
    live = {name: Live(NOW) for name in names}
    decision = choose(need(), lab_places(live, NOW), Policy(), NOW)
    assert [one.place.name for one in decision.ranking] == ["north/bench-1", "south/far-1"]
    refused = {one.place.name: " ".join(one.reasons) for one in decision.refusals}
    assert "not encrypted: use https, or send a parcel" in refused["south/far-2"]
    assert "another legal entity" in refused["north/practice"]
    assert "spare" not in str(refused)  # no hub names it: it gets nothing from the queue


def test_a_practice_print_goes_to_a_practice_printer_alone() -> None:
    live = {name: Live(NOW) for name in usable_printers(["practice", "practice-2"])}
    exercise = need(legal_entity="practice", material="ABS")
    decision = choose(exercise, lab_places(live, NOW), Policy(), NOW)
    places = [one.place.printer for one in decision.ranking]
    assert places == ["practice", "practice-2"]


def test_a_lost_printer_says_why_and_the_other_hub_gets_it() -> None:
    live = {"bench-1": Live(NOW, "no answer from the printer's server"), "far-1": Live(NOW)}
    decision = choose(need(), lab_places(live, NOW), Policy(), NOW)
    assert decision.chosen is not None
    assert decision.chosen.name == "south/far-1"
    assert "north/bench-1: not reachable: no answer from the printer's server" in decision.why


def test_parcel_is_printed_at_the_other_hub(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed here, opened there, and into the queue there with the sender's approval."""
    case = sliced_case(tmp_path / "case", "C-7")
    digest = case_print(case.root).sheet.sha256
    sealed = seal_case(
        case, "south", tmp_path / "out", approved_by="A. Smith", approved_sha256=digest
    )
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "south"))
    for name in known_hubs():
        change("onboard", name, known_hubs(), by="QA", reason="first")
    opened = receive(sealed, tmp_path / "opened")
    wanted = case_print(opened.folder)
    assert (wanted.code, wanted.gcode.read_bytes()) == (
        "C-7",
        (case.product("04_slicing", "part.gcode")).read_bytes(),
    )
    assert wanted.plan is not None
    assert len(wanted.plan) == 2
    submit(opened.folder, printer="any", practice=True, as_json=True)
    (asked,) = Queue().requests()
    assert (asked.case_code, asked.attempt, asked.status) == ("C-7", 1, "waiting")
    assert "in the signed letter of north" in wanted.approval("practice", "", "", practice=False)
    assert home_folder() == tmp_path / "south"
