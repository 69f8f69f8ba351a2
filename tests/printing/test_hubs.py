import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from labkit.cli import main
from labkit.errors import InputError, StorageError
from labkit.home import home_folder
from labkit.printing.hubs.keys import HubKeys, own_keys
from labkit.printing.hubs.places import Live, places
from labkit.printing.hubs.registry import known_hubs
from labkit.printing.hubs.states import change, history, standings
from labkit.printing.hubs.tables import HUB_STATES, transaction
from labkit.printing.jobs import Register, planned_job

from .gcode import write_gcode
from .network import entry, keys_in, printer, write_hubs

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def keys(lab_home: Path) -> HubKeys:
    return own_keys(make=True)


@pytest.fixture
def far(tmp_path: Path, keys: HubKeys) -> HubKeys:
    with pytest.MonkeyPatch.context() as patch:
        return keys_in(tmp_path / "far", patch)


@pytest.fixture
def two(lab_home: Path, keys: HubKeys, far: HubKeys) -> None:
    write_hubs(lab_home, north=entry(keys, here=True), south=entry(far, legal_entity="South Trust"))


def onboard(name: str) -> None:
    change("onboard", name, known_hubs(), by="qa", reason="first")


def why_not(name: str) -> str:
    return standings(known_hubs())[name].why_not


def test_without_a_file_there_are_no_hubs(lab_home: Path) -> None:
    assert known_hubs() == {}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"colour": "red"}, "colour"),
        ({"legal_entity": ""}, "legal_entity"),
        ({"recipient": "age1short"}, "recipient"),
        ({"latitude_deg": 52.0}, "go together"),
        ({"latitude_deg": 91.0, "longitude_deg": 0}, "latitude_deg"),
        ({"grid_co2e_kg_per_kwh": 0.4}, "without grid_source"),
        ({"grid_co2e_kg_per_kwh": float("nan"), "grid_source": "x"}, "finite"),
        ({"printers": []}, "printers"),
        ({"printers": [printer("a"), printer("a")]}, "two printers of one name"),
        ({"printers": [printer("a", calibrated="2099-02-01")]}, "calibration_due lies before"),
        (
            {"printers": [printer("a", closed=[{"from": NOW, "until": NOW, "why": "x"}])]},
            "it ends before it begins",
        ),
        (
            {
                "printers": [
                    printer("a", closed=[{"from": "2026-01-01", "until": NOW, "why": "no zone"}])
                ]
            },
            "timezone",
        ),
        ({"signing_key": "keys/none.pem"}, "no Ed25519 public key"),
    ],
)
def test_an_entry_that_is_not_one(
    lab_home: Path, keys: HubKeys, more: dict[str, Any], told: str
) -> None:
    write_hubs(lab_home, north=entry(keys) | more)
    with pytest.raises(InputError) as refused:
        known_hubs()
    assert told in refused.value.found


@pytest.mark.parametrize(
    ("hubs", "told"),
    [
        (lambda a, b: {"north": a | {"here": True}, "south": b | {"here": True}}, "both marked"),
        (lambda a, b: {"north": a, "south": b | {"signing_key": a["signing_key"]}}, "signing_key"),
        (lambda a, b: {"north": a, "south": b | {"recipient": a["recipient"]}}, "recipient"),
        (lambda a, b: {"../north": a, "south": b}, "the hub name"),
    ],
)
def test_hubs_that_do_not_go_together(
    lab_home: Path, keys: HubKeys, far: HubKeys, hubs: Any, told: str
) -> None:
    write_hubs(lab_home, **hubs(entry(keys), entry(far)))
    with pytest.raises(InputError, match=told):
        known_hubs()


def test_a_key_as_pem_is_the_same_key(lab_home: Path, keys: HubKeys) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    pem = keys.signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (lab_home / "keys" / "north.pem").write_bytes(pem)
    write_hubs(lab_home, north=entry(keys, signing_key="keys/north.pem"))
    assert known_hubs()["north"].signing_key == keys.signing_key


def test_keys_are_made_once_and_are_the_owners_alone(keys: HubKeys) -> None:
    again = own_keys(make=True)
    assert (again.recipient, again.signing_key) == (keys.recipient, keys.signing_key)
    for name in ("hub.age", "hub-signing.pem"):
        path = home_folder() / "keys" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "AGE-SECRET" not in repr(keys)
    path.write_text("nonsense")
    with pytest.raises(InputError, match="damaged"):
        own_keys()
    path.chmod(0o644)
    with pytest.raises(InputError, match="read by others"):
        own_keys()


def test_a_hub_goes_its_way_and_ceased_is_the_end(two: None) -> None:
    assert why_not("south") == "it was never onboarded"
    with pytest.raises(InputError, match="it is candidate"):
        change("resume", "south", known_hubs(), by="qa", reason="x")
    onboard("south")
    assert why_not("south") == ""
    with pytest.raises(InputError, match="its terms are the same"):
        onboard("south")
    change("pause", "south", known_hubs(), by="qa", reason="water  in\nthe room")
    assert why_not("south").endswith("water in the room")
    with pytest.raises(InputError, match="resume it"):
        onboard("south")
    change("resume", "south", known_hubs(), by="qa", reason="dry")
    assert why_not("south") == ""
    change("cease", "south", known_hubs(), by="qa", reason="sold")
    for step in ("onboard", "pause", "resume", "cease"):
        with pytest.raises(InputError, match="that is final"):
            change(step, "south", known_hubs(), by="qa", reason="x")
    told = [(one.from_state, one.to_state) for one in history("south")]
    assert told == [
        ("candidate", "onboarded"),
        ("onboarded", "paused"),
        ("paused", "onboarded"),
        ("onboarded", "ceased"),
    ]
    assert {one.entry_sha256 for one in history("south")} == {known_hubs()["south"].sha256}
    assert history("north") == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"legal_entity": "East Trust"}, "its legal entity was South Trust and is East Trust"),
        ({"signing_key": "0" * 63 + "1"}, "its signing key was"),
        (
            {"printers": [printer("bench-1", procedures=["practice", "guide"])]},
            "its printer bench-1 had the procedures practice and has practice, guide",
        ),
        ({"printers": [printer("bench-1"), printer("bench-2")]}, "its printer bench-2 is new"),
    ],
)
def test_other_terms_are_onboarded_again(
    two: None, lab_home: Path, keys: HubKeys, far: HubKeys, more: dict[str, Any], told: str
) -> None:
    onboard("south")
    south = entry(far, legal_entity="South Trust")
    write_hubs(lab_home, north=entry(keys, here=True), south=south | more)
    assert why_not("south").startswith("it must be onboarded again")
    assert told in why_not("south")
    change("pause", "south", known_hubs(), by="qa", reason="to look at it")
    with pytest.raises(InputError, match="labkit hubs onboard"):
        change("resume", "south", known_hubs(), by="qa", reason="x")
    onboard("south")
    assert why_not("south") == ""


def test_dates_and_prices_are_no_terms(
    two: None, lab_home: Path, keys: HubKeys, far: HubKeys
) -> None:
    onboard("south")
    calmer = printer("bench-1", calibration_due="2099-06-01", eur_per_hour=2)
    south = entry(far, calmer, legal_entity="South Trust", transport_eur_per_km=1)
    write_hubs(lab_home, north=entry(keys, here=True), south=south)
    assert why_not("south") == ""


def test_a_hub_that_is_gone_from_the_table_can_cease(
    two: None, lab_home: Path, keys: HubKeys
) -> None:
    onboard("south")
    write_hubs(lab_home, north=entry(keys, here=True))
    with pytest.raises(InputError, match="no hub 'south'"):
        onboard("south")
    made = change("cease", "south", known_hubs(), by="qa", reason="gone")
    assert (made.to_state, made.entry_sha256) == ("ceased", "")


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("qa", " ")])
def test_nobody_or_no_reason(two: None, by: str, reason: str) -> None:
    with pytest.raises(InputError, match="without a name or without a reason"):
        change("onboard", "south", known_hubs(), by=by, reason=reason)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hub_states SET reason = 'better'",
        "DELETE FROM hub_states",
        "INSERT OR REPLACE INTO hub_states SELECT 1, hub, 2, at, by, from_state, to_state, "
        "'better', entry_sha256, terms FROM hub_states",
    ],
)
def test_lines_are_only_added(two: None, statement: str) -> None:
    onboard("south")
    with pytest.raises(IntegrityError, match="only added"), transaction() as connection:
        connection.execute(sa.text(statement))
    assert history("south")[0].reason == "first"


def test_of_two_changes_at_once_one_is_too_late(two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    onboard("south")
    monkeypatch.setattr("labkit.printing.hubs.states._history", lambda *_: [])
    with pytest.raises(InputError, match="at this moment by another"):
        onboard("south")


def test_a_register_that_does_not_work(two: None) -> None:
    (home_folder() / "register.sqlite").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StorageError, match="register cannot be used"):
        history()


def test_the_tables_share_the_register(two: None) -> None:
    Register()
    onboard("south")
    with transaction() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(HUB_STATES)).scalar() == 1
    assert [path.name for path in home_folder().glob("*.sqlite")] == ["register.sqlite"]


def test_places_take_bed_and_power_from_the_profile(
    lab_home: Path, keys: HubKeys, far: HubKeys
) -> None:
    shut = {"from": NOW, "until": "2026-06-02T00:00:00+02:00", "why": "belts"}
    north = entry(keys, printer("bench-1", closed=[shut]), here=True)
    south = entry(far, printer("old", profile="nobodys"), latitude_deg=52, longitude_deg=8)
    write_hubs(lab_home, north=north, south=south)
    onboard("north")
    hubs = known_hubs()
    live = {("north", "bench-1"): Live(NOW)}
    near, away = places(hubs, standings(hubs), live, NOW)
    assert near.name == "north/bench-1" and near.why_not == "" and near.unreachable == ""
    assert near.room_mm[0] > 100 and near.nozzle_mm > 0 and len(near.profile_sha256) == 64
    assert (near.at_deg, near.shut[0].why) == (None, "belts")
    assert (away.profile_sha256, away.at_deg) == ("", (52.0, 8.0))
    assert away.unreachable == "nobody has asked it" and away.why_not == "it was never onboarded"


# --- labkit hubs -------------------------------------------------------------------------


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["hubs", *words])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_commands(two: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = command(capsys, "list")
    assert code == 0 and "south may not print: it was never onboarded" in out
    told = ["--by", "qa", "--reason", "PQ accepted"]
    for step, way in (
        ("onboard", "candidate → onboarded"),
        ("pause", "onboarded → paused"),
        ("resume", "paused → onboarded"),
    ):
        code, out, _ = command(capsys, step, "south", *told)
        assert code == 0 and way in out
    code, out, _ = command(capsys, "list", "--json")
    assert [row["state"] for row in json.loads(out)["hubs"]] == ["candidate", "onboarded"]
    code, out, _ = command(capsys, "show", "south", "--json")
    assert json.loads(out)["standing"]["why_not"] == ""
    code, out, _ = command(capsys, "show", "south")
    assert "legal_entity: South Trust" in out and "may print" in out
    code, out, _ = command(capsys, "history", "south", "--json")
    assert len(json.loads(out)["changes"]) == 3
    code, out, _ = command(capsys, "history", "north")
    assert code == 0
    code, out, err = command(capsys, "history", "west")
    assert code == 2 and "no hub 'west'" in err
    gcode = write_gcode(tmp_path / "a.gcode")
    for name in ("bench-1", "elsewhere"):
        job = planned_job(gcode, case_code="C-1", printer_name=name, attempt=1, practice=True)
        Register().plan(job)
    code, out, _ = command(capsys, "report", "--json")
    rows = {row["hub"]: row for row in json.loads(out)["hubs"]}
    assert sum(rows[hub]["jobs"].get("planned", 0) for hub in ("north", "south")) == 1
    assert rows[""]["jobs"] == {"planned": 1}
    assert len(rows["south"]["changes"]) == 3
    code, out, _ = command(capsys, "report", "--year", "1999")
    assert code == 0 and "planned" not in out
    code, out, _ = command(capsys, "cease", "south", *told)
    assert code == 0
    code, out, err = command(capsys, "resume", "south", *told)
    assert code == 2 and "that is final" in err


def test_keys_prints_public_halves_only(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = command(capsys, "keys", "--json")
    told = json.loads(out)
    assert code == 0 and told["recipient"].startswith("age1") and len(told["signing_key"]) == 64
    assert "SECRET" not in out + err and "PRIVATE" not in out + err
    assert told["signing_key"] in command(capsys, "keys")[1]
    assert command(capsys, "list")[0] == 0
