"""Hubs that die or are cut off, our own process killed, and a queue over several printers."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from labkit.printing.jobs import Register
from labkit.printing.queue import Queue
from labkit.printing.record import record_of

from .drill import FAULTS, KINDS, Fleet, ask, drill, is_finished, three_hubs
from .gcode import write_gcode

QUEUE_CLIENT = Path(__file__).with_name("queue_client.py")

KILLS = int(os.environ.get("LABKIT_KILLS") or 8)
"""How often our own process is killed at a random moment; the whole drill is 100."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with three_hubs(tmp_path_factory.mktemp("drill") / "home") as hubs:
        yield hubs


@pytest.fixture
def lab(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """The same hubs; what other tests left in the queue is out of the way."""
    for request in Queue().requests("waiting"):
        Queue().withdraw(request.number, "left by another test")
    return fleet


@pytest.mark.parametrize(("fault", "kind"), list(product(FAULTS, KINDS)))
def test_lost_hub(lab: Fleet, tmp_path: Path, fault: str, kind: str) -> None:
    code = f"D-{list(FAULTS).index(fault)}-{KINDS.index(kind)}"
    row = drill(lab, tmp_path, fault, kind, code)
    assert row.is_right, row


def test_killed_dispatcher_at_random_moments(lab: Fleet, tmp_path: Path) -> None:
    """Asked for, sent, started, watched: killed anywhere, each case is printed exactly once."""
    chance = random.Random(20261130)
    for n in range(KILLS):
        code = f"K-{n:03d}"
        gcode = write_gcode(tmp_path / f"{code}.gcode", dwells=8, extra="; filler\n" * 50_000)
        ask(code, gcode)
        words = [sys.executable, str(QUEUE_CLIENT)]
        words += [f"{hub.name}={hub.wire.url}" for hub in lab.hubs.values()]
        with subprocess.Popen(words, start_new_session=True) as client:
            time.sleep(chance.uniform(0.3, 4.0))
            client.kill()
            client.wait()
        lab.dispatcher().run()
        jobs = Register().jobs(case_code=code)
        told = [record_of(Register().read(job.job_id), Register()) for job in jobs]
        open_at_start = [r for r in told if r.state == "lost"]
        if open_at_start:  # killed between writing down the start and asking for it
            assert lab.finishes(jobs) == 0 and lab.starts_most(jobs) <= 1, told
            continue
        assert sum(map(is_finished, jobs)) == 1, told
        assert (lab.finishes(jobs), lab.starts_most(jobs)) == (1, 1), told


def test_fifty_jobs_on_three_printers(lab: Fleet, tmp_path: Path) -> None:
    """All done, each once; the urgent ones first, and every printer has its share."""
    chance = random.Random(7)
    urgent: dict[int, str] = {}
    for n in range(50):
        gcode = write_gcode(tmp_path / f"Q-{n:02d}.gcode")
        priority = chance.choice(["emergency", "urgent", "routine"])
        urgent[ask(f"Q-{n:02d}", gcode, priority=priority).number] = priority
    lab.dispatcher().run()
    requests = [one for one in Queue().requests() if one.number in urgent]
    assert {one.status for one in requests} == {"done"}
    jobs = [job for job in Register().jobs(states=["finished"]) if job.case_code.startswith("Q-")]
    assert len({job.case_code for job in jobs}) == len(jobs) == 50
    assert lab.finishes(jobs) == 50
    share = Counter(job.printer for job in jobs)
    assert set(share) == set(lab.hubs)
    assert min(share.values()) >= 8
    begun = {
        job.case_code: next(
            line.at for line in Register().read(job.job_id).history if line.state == "starting"
        )
        for job in jobs
    }
    order = {"emergency": 0, "urgent": 1, "routine": 2}
    by_start = sorted(requests, key=lambda one: begun[one.case_code])
    ranks = [order[urgent[one.number]] for one in by_start]
    # three at a time: at a change of priority the last of one may begin beside the next, and
    # two that were taken earlier may still be on their way to their printers
    late = [sum(other < rank for other in ranks[n + 3 :]) for n, rank in enumerate(ranks)]
    assert max(late) <= 2
