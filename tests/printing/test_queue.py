"""Jobs and requests in both kinds of database: SQLite, and a real PostgreSQL."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from labkit.errors import InputError, StorageError
from labkit.files import sha256_of
from labkit.home import home_folder
from labkit.printing.database import database
from labkit.printing.hubs.keys import own_keys
from labkit.printing.hubs.registry import known_hubs
from labkit.printing.hubs.states import change, history, standings
from labkit.printing.hubs.suitability import Need
from labkit.printing.jobs import BEFORE_START, Job, Register, planned_job
from labkit.printing.queue import Queue, Request

from .gcode import write_gcode
from .network import entry, write_hubs
from .postgres import postgres

NEED = Need(
    name="C-1",
    hub="here",
    legal_entity="practice",
    profile="practice",
    profile_sha256="0" * 64,
    size_mm=(10.0, 20.0, 3.5),
    material="PLA",
    print_time_s=60.0,
    mass_g=1.5,
    at_deg=(51.5, -0.1),
    priority="urgent",
    due=datetime(2027, 1, 1, 12, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"], autouse=True)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    monkeypatch.delenv("LABKIT_DATABASE_URL", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("LABKIT_DATABASE_URL", request.getfixturevalue("server"))
    yield
    if request.param == "postgresql":
        with database().begin() as connection:
            found = sa.MetaData()
            found.reflect(connection)
            found.drop_all(connection)


def plan(path: Path, printer: str, *, attempt: int = 1, practice: bool = False) -> Job:
    wanted = planned_job(
        path, case_code="C-1", printer_name=printer, attempt=attempt, practice=practice
    )
    return Register().plan(wanted)


def ask(path: Path, *, attempt: int = 1, code: str = "C-1") -> Request:
    return Queue().add(
        case_code=code,
        attempt=attempt,
        practice=True,
        gcode=path,
        gcode_sha256=sha256_of(path),
        approval="practice",
        material_lot="L-7",
        need=NEED,
        asked_by="x",
    )


def test_one_attempt_is_printed_on_one_printer(tmp_path: Path) -> None:
    gcode, register = write_gcode(tmp_path / "a.gcode"), Register()
    first, second = plan(gcode, "a"), plan(gcode, "b")
    start = {"to": "starting", "seen": "asked", "only_from": BEFORE_START}
    assert register.advance(first.job_id, **start)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"is job {first.job_id} on a, starting already"):
        register.advance(second.job_id, **start)  # type: ignore[arg-type]
    assert register.read(second.job_id).state == "planned"
    assert register.advance(first.job_id, "lost", "no answer", only_from=("starting",))
    with pytest.raises(InputError, match="raise the attempt number"):
        register.advance(second.job_id, **start)  # type: ignore[arg-type]
    # once it surely failed, another printer may have it; the practice print never counted
    assert register.advance(first.job_id, "failed", "looked", only_from=("lost",))
    practice = plan(gcode, "practice", practice=True)
    assert register.advance(practice.job_id, **start)  # type: ignore[arg-type]
    assert register.advance(second.job_id, **start)  # type: ignore[arg-type]
    assert register.advance(second.job_id, "finished", "end", only_from=("starting",))
    again = plan(gcode, "a", attempt=2)
    assert register.advance(again.job_id, **start)  # type: ignore[arg-type]


def test_of_two_printers_at_once_one_gets_to_start(tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "a.gcode")
    jobs = [plan(gcode, f"printer-{n}") for n in range(6)]
    barrier, won = threading.Barrier(len(jobs)), list[bool]()

    def try_to_start(job: Job) -> None:
        barrier.wait()
        try:
            done = Register().advance(job.job_id, "starting", "mine", only_from=("planned",))
        except InputError:
            done = False
        won.append(done)

    threads = [threading.Thread(target=try_to_start, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 5 + [True]


def test_layers_and_texts_are_kept_once(tmp_path: Path) -> None:
    job, register = plan(write_gcode(tmp_path / "a.gcode"), "a"), Register()
    for layer in (1, 3, 3, 2):
        register.layer(job.job_id, layer)
    assert list(register.layers(job.job_id)) == [1, 2, 3]
    register.keep(job.job_id, "firmware_settings", "M92 X80")
    register.keep(job.job_id, "firmware_settings", "M92 X81")
    assert register.kept(job.job_id) == {"firmware_settings": "M92 X80"}
    assert [one.job_id for one in register.jobs(states=["planned"])] == [job.job_id]
    assert register.jobs(case_code="C-2") == []


def test_request_comes_back_as_it_was_asked(tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "a.gcode")
    asked = ask(gcode)
    assert (asked.need, asked.gcode, asked.status) == (NEED, gcode, "waiting")
    assert ask(gcode) == asked  # the same question has the same answer
    assert Queue().one(asked.number) == asked
    assert asked.waiting.priority == "urgent"
    with pytest.raises(InputError, match="no request 99"):
        Queue().one(99)


def test_request_has_one_taker_and_a_way_back(tmp_path: Path) -> None:
    gcode, queue = write_gcode(tmp_path / "a.gcode"), Queue()
    asked = ask(gcode)
    barrier, won = threading.Barrier(4), list[bool]()

    def take(name: str) -> None:
        barrier.wait()
        won.append(Queue().take(asked.number, name, "it is free"))

    threads = [threading.Thread(target=take, args=(f"p-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 3 + [True]
    assert not queue.withdraw(asked.number, "too late")
    assert queue.give_back(asked.number, "it is  broken")
    back = queue.one(asked.number)
    assert back == replace(asked, told="it is broken")
    assert queue.take(asked.number, "p", "again")
    assert queue.close(asked.number, "held", "look at it")
    assert not queue.close(asked.number, "done", "twice")
    with pytest.raises(InputError, match="in the queue already: held"):
        ask(gcode)
    assert queue.take_again(asked.number)
    assert queue.close(asked.number, "done", "it was printed")
    assert ask(gcode, attempt=2).number != asked.number


def test_waiting_request_can_be_withdrawn(tmp_path: Path) -> None:
    asked = ask(write_gcode(tmp_path / "a.gcode"))
    Queue().tell(asked.number, "nobody may print it now")
    assert Queue().one(asked.number).told == "nobody may print it now"
    assert Queue().withdraw(asked.number, "designed anew")
    assert not Queue().take(asked.number, "p", "too late")
    assert [one.status for one in Queue().requests()] == ["withdrawn"]


def test_register_of_an_earlier_version_learns_the_rule(tmp_path: Path) -> None:
    first = plan(write_gcode(tmp_path / "a.gcode"), "a")
    with database().begin() as connection:
        connection.exec_driver_sql("DROP INDEX one_print")
    second = plan(write_gcode(tmp_path / "a.gcode"), "b")
    assert Register().advance(first.job_id, "starting", "x", only_from=("planned",))
    with pytest.raises(InputError, match="already"):
        Register().advance(second.job_id, "starting", "x", only_from=("planned",))
    with database().begin() as connection:
        connection.exec_driver_sql("DROP INDEX one_print")
        connection.exec_driver_sql("UPDATE jobs SET state = 'finished'")
    with pytest.raises(StorageError, match="two prints of one attempt"):
        Register()


def test_states_of_hubs_stand_in_the_same_database() -> None:
    hub = entry(own_keys(make=True)) | {"here": True}
    write_hubs(home_folder(), north=hub)
    change("onboard", "north", known_hubs(), by="QA", reason="audited")
    change("pause", "north", known_hubs(), by="QA", reason="new belts")
    assert [one.to_state for one in history("north")] == ["onboarded", "paused"]
    assert standings(known_hubs())["north"].why_not.endswith("new belts")
