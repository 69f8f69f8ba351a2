"""What a watch tells, of a server that says what a test wants."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

import pytest

from labkit.errors import PrinterError
from labkit.printing.plan import Plan
from labkit.printing.servers.kind import NoChannel
from labkit.printing.servers.messages import (
    Ended,
    Fault,
    Heater,
    Pushed,
    RunningJob,
    Said,
    StoredFile,
)
from labkit.printing.watching import Outcome, Progress, Watch

from .test_plan import PLAN

RUNS = RunningJob("busy", "Printing", "a.gcode", 0, 1.0)
IDLE = RunningJob("ready", "Operational")
DONE = StoredFile(1000, prints_done=1, last_succeeded=True, last_print_time_s=9.0)


@dataclass
class Told:
    """A printer whose answers are listed; the last of each goes on."""

    jobs: Iterator[RunningJob | None]
    heats: Iterator[tuple[Heater, ...]] = field(default_factory=lambda: repeat(()))
    stored: StoredFile | None = None

    def job(self) -> RunningJob:
        found = next(self.jobs)
        if found is None:
            raise PrinterError("no answer", expected="one", fix="wait")
        return found

    def heaters(self) -> tuple[Heater, ...]:
        return next(self.heats)

    def file(self, name: str) -> StoredFile | None:
        assert name == "a.gcode"
        return self.stored


@dataclass
class Log:
    notes: list[str] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)

    def note(self, seen: str) -> None:
        self.notes.append(seen)

    def reached(self, filepos_bytes: int) -> None:
        self.at.append(filepos_bytes)

    def layer(self, layer: int) -> None:
        self.layers.append(layer)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock that each look moves on by a second, so that nothing waits."""
    moment = [1000.0]

    def tick(seconds: float) -> None:
        moment[0] += 2 * seconds

    monkeypatch.setattr("time.monotonic", lambda: moment[0])
    monkeypatch.setattr("time.sleep", tick)
    yield moment


class Pushes(NoChannel):
    """A channel that tells what is listed, one at each look, then nothing."""

    def __init__(self, *told: Pushed) -> None:
        self._told = list(told)

    def read(self, *, timeout_s: float) -> list[Pushed]:
        return [self._told.pop(0)] if self._told else super().read(timeout_s=timeout_s)


def watch(
    printer: Told,
    *,
    plan: Plan | None = PLAN,
    limit_s: float = 60.0,
    channel: NoChannel | None = None,
) -> tuple[Outcome, Log, list[Progress]]:
    log, told = Log(), list[Progress]()
    following = Watch(
        *(printer, channel or NoChannel(), log),  # type: ignore[arg-type]
        name="a.gcode",
        size_bytes=1000,
        filepos_bytes=None,
        silence_limit_s=limit_s,
        plan=plan,
        tell=told.append,
    )
    return following.to_the_end(), log, told


def at(*positions: int) -> list[RunningJob]:
    return [replace(RUNS, filepos_bytes=one) for one in positions]


def test_layer_by_layer_with_time_left(clock: list[float]) -> None:
    printer = Told(chain(at(50, 120, 600, 650, 950), repeat(IDLE)), stored=DONE)
    outcome, log, told = watch(printer)
    assert (outcome.state, outcome.print_time_s) == ("finished", 9.0)
    assert log.layers == [1, 2, 3]
    assert [one.layer for one in told] == [0, 1, 2, 2, 3]
    assert {one.layers for one in told} == {3}
    assert told[0].left_s is not None
    assert str(told[1]).startswith("Printing, at byte 120 of 1000, layer 1 of 3, 0.30 mm, 12 %, ")
    assert log.at[-1] == 1000


def test_temperature_that_leaves_its_window_is_told_once(clock: list[float]) -> None:
    cold, warm = (Heater("tool0", 150.0, 210.0),), (Heater("tool0", 209.0, 210.0),)
    heats = chain([cold] * 6, [warm] * 2, [cold] * 8, [warm] * 2, [cold] * 8, repeat(warm))
    jobs = chain(at(*range(1, 140)), repeat(IDLE))
    _, log, told = watch(Told(jobs, heats, DONE))
    alarms = [note for note in log.notes if note.startswith("ALARM")]
    assert len(alarms) == 2  # never while it warmed up at first
    assert "tool0 is at 150 °C, outside the material's 190 to 230 °C, at byte" in alarms[0]
    assert told[-1].heaters == warm


def test_print_that_stands_is_told_within_the_limit(clock: list[float]) -> None:
    jobs = chain(at(10), at(*[20] * 70), at(30), repeat(IDLE))
    _, log, _ = watch(Told(jobs, stored=DONE))
    assert [note.split(",")[0] for note in log.notes] == [
        "ALARM: no movement for 60 s",
        "the print moves again",
    ]


def test_pause_of_a_person_is_no_standstill(clock: list[float]) -> None:
    paused = replace(RUNS, phase="paused", state="Paused", filepos_bytes=20)
    _, log, _ = watch(Told(chain(at(20), [paused] * 200, at(30), repeat(IDLE)), stored=DONE))
    assert log.notes == []


def test_kind_that_tells_only_a_share(clock: list[float]) -> None:
    jobs = [replace(RUNS, filepos_bytes=None, done_share=share) for share in (0.1, 0.5)]
    outcome, log, told = watch(Told(chain(jobs, repeat(IDLE)), stored=DONE))
    assert outcome.state == "finished"
    assert [one.done_bytes for one in told] == [100, 500]
    assert log.layers == []  # a share of the time is no place in the file


def test_server_out_of_reach_is_lost_after_the_limit(clock: list[float]) -> None:
    outcome, log, _ = watch(Told(chain(at(400), repeat(None))), plan=None, limit_s=10)
    assert outcome.state == "lost"
    assert outcome.seen == "lost contact, at byte 400 of 1000: no answer"
    assert log.at[-1] == 400
    back = Told(chain(at(400), [None] * 5, at(500), repeat(IDLE)), stored=DONE)
    assert watch(back, limit_s=10)[0].state == "finished"


def test_server_that_forgot_is_lost_and_one_that_failed_says_why(clock: list[float]) -> None:
    outcome, _, _ = watch(Told(chain(at(400), repeat(IDLE))))
    assert (outcome.state, "restarted" in outcome.seen) == ("lost", True)
    failed = StoredFile(1000, prints_failed=1, last_succeeded=False, last_told="MCU shutdown")
    outcome, _, _ = watch(Told(chain(at(400), repeat(IDLE)), stored=failed))
    assert outcome.state == "failed"
    assert outcome.seen.endswith("it failed or was cancelled. MCU shutdown")


CANCELLED, FAILED = Ended("a.gcode", "cancelled"), Ended("a.gcode", "failed")
ANEW, RUNAWAY = Fault("the board started anew"), Fault("Thermal Runaway")


@pytest.mark.parametrize(
    ("told", "state", "why"),
    [
        ([CANCELLED], "cancelled", "cancelled at the printer, at byte 0 of 1000"),
        ([RUNAWAY, CANCELLED], "cancelled", "at byte 0 of 1000"),  # it outlived that
        ([CANCELLED, ANEW, FAILED, RUNAWAY], "failed", ": the board started anew"),
        ([FAILED, RUNAWAY], "failed", ": Thermal Runaway"),
        ([RUNAWAY, FAILED], "failed", ": Thermal Runaway"),
        ([ANEW, FAILED, RUNAWAY], "failed", ": Thermal Runaway"),
        ([Ended("a.gcode", "failed", "MAXTEMP"), RUNAWAY], "failed", ": MAXTEMP"),
        ([Ended("b.gcode", "failed", "MAXTEMP"), FAILED], "failed", ": the printer disconnected"),
        ([FAILED, Said("paused")], "failed", ": the printer disconnected"),
    ],
)
def test_reason_of_an_end_that_comes_before_it_or_after(
    clock: list[float], told: list[Pushed], state: str, why: str
) -> None:
    outcome, _, _ = watch(Told(repeat(IDLE)), plan=None, channel=Pushes(*told))
    assert outcome.state == state
    assert outcome.seen.endswith(why)


def test_position_does_not_fall_back(clock: list[float]) -> None:
    outcome, log, _ = watch(Told(chain(at(400, 0), repeat(IDLE))), plan=None)
    assert "at byte 400 of 1000" in outcome.seen
    assert log.at == sorted(log.at)
