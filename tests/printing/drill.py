"""What becomes of prints when a hub dies or its network is cut; with three real OctoPrints.

``python -m tests.printing.drill --repeats 20`` runs each fault so often, and writes the table
``benchmarks/data/print_drill.csv``.  The tests run each once.

A case is asked for in the queue; the hub that gets it meets its fault at a chosen word on the
wire.  Afterwards the hub comes back and the dispatcher runs again.  What then is still not
known is settled by a person, who looks at what truly happened, and the next attempt is asked
for.  What reached the servers is counted on the wires, besides the servers' own histories.
"""

import argparse
import csv
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import pytest

from labkit import equipment
from labkit.files import sha256_of
from labkit.printing import submission
from labkit.printing.dispatcher import Dispatcher
from labkit.printing.fleet import settle
from labkit.printing.hubs.dispatch import Policy
from labkit.printing.hubs.suitability import Need
from labkit.printing.jobs import Job, Register
from labkit.printing.lab_places import PRACTICE_ENTITY, PRACTICE_PROFILE, lab_places
from labkit.printing.queue import Queue, Request
from labkit.printing.servers.kind import Printer
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.practice import PracticePrinter, install_server
from labkit.printing.watching import Progress
from tests.conftest import PROJECT

from .gcode import write_gcode
from .wire import Trap, When, Wire

TABLE = PROJECT / "benchmarks" / "data" / "print_drill.csv"

FAULTS: dict[str, tuple[bytes, When]] = {
    "before upload": (b"POST /api/files/local HTTP", "before"),
    "during upload": (b"POST /api/files/local HTTP", "after"),
    "between upload and start": (b'"print": false', "before"),
    "start does not arrive": (b'"print": true', "before"),
    "between start and answer": (b'"print": true', "answered"),
    "during the print": (b"", "after"),
}
KINDS = ("server killed", "network cut")

BEFORE_ANY_START = ("before upload", "during upload", "between upload and start")
"""Nothing can have been printed: the case goes to another hub by itself."""

SILENCE_S = 3.0


@dataclass
class Hub:
    """A practice OctoPrint behind a wire."""

    practice: PracticePrinter
    wire: Wire

    @property
    def name(self) -> str:
        return self.practice.name

    @property
    def direct(self) -> OctoPrint:
        found = self.practice.attach()
        assert found is not None
        return found

    def kill(self) -> None:
        pid = self.practice.state()["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)

    def bring_back(self) -> None:
        self.wire.trap = None
        self.practice.start()
        self.wire.lead_to(_port(self.practice))
        self.wire.mend()


def _port(practice: PracticePrinter) -> int:
    port = urlsplit(str(practice.state()["url"])).port
    assert port is not None
    return port


@dataclass(frozen=True)
class Row:
    """What became of one drill.

    ``first`` is where the request stood when the hub was gone, ``job`` the state of the job
    there at the very end, ``starts_most`` how many requests to start any one attempt reached
    a server, ``served`` how many prints the servers count, ``finished_on`` printer and attempt.
    """

    fault: str
    kind: str
    first: str
    job: str
    starts_most: int
    served: int
    finished_on: tuple[str, ...]
    seconds: float

    @property
    def is_right(self) -> bool:
        """Printed once, by no more than one start for each attempt, and every state true."""
        once = len(self.finished_on) == 1 and self.starts_most == 1 and self.served == 1
        by_itself = self.fault in BEFORE_ANY_START
        elsewhere = not self.finished_on[0].startswith("practice,") if once else False
        if by_itself:
            return once and self.first == "done" and self.job == "cancelled" and elsewhere
        cleared_up = self.kind == "network cut" and self.fault != "start does not arrive"
        ended = "finished" if cleared_up else "failed"
        attempt = 1 if cleared_up else 2
        return (
            once
            and self.first == "held"
            and self.job == ended
            and self.finished_on[0].endswith(f"attempt {attempt}")
        )


class Fleet:
    """Three hubs with their wires, and the lab's queue."""

    def __init__(self, hubs: list[Hub]) -> None:
        self.hubs = {hub.name: hub for hub in hubs}

    @contextmanager
    def connect(self, name: str) -> Iterator[tuple[Printer, bool]]:
        hub = self.hubs[name]
        key = hub.practice.key_file.read_text().strip()
        yield OctoPrint(hub.wire.url, key), True

    def dispatcher(self, say: Callable[[str], None] = lambda _: None) -> Dispatcher:
        return Dispatcher(
            connect=self.connect,
            printers=tuple(self.hubs),
            places=lab_places,
            policy=Policy(),
            say=say,
            silence_limit_s=SILENCE_S,
            rest_s=2.0,
        )

    def starts_most(self, jobs: list[Job]) -> int:
        """How many requests to start any one attempt reached a server, at the most."""
        reached = [
            path.rsplit(b"/", 1)[-1].decode()
            for hub in self.hubs.values()
            for path in hub.wire.starts
        ]
        by_attempt: Counter[int] = Counter()
        for job in jobs:
            by_attempt[job.attempt] += reached.count(job.file_name)
        return max(by_attempt.values(), default=0)

    def finishes(self, jobs: list[Job]) -> int:
        """How many prints of these jobs the servers themselves count."""
        stored = [self.hubs[job.printer].direct.file(job.file_name) for job in jobs]
        return sum(one.prints_done + one.prints_failed for one in stored if one is not None)


@contextmanager
def three_hubs(home: Path) -> Iterator[Fleet]:
    """A lab of its own with three practice OctoPrints."""
    install_server(lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(home))
        patch.setattr(submission, "START_KNOWN_AFTER_S", 4.0)
        fleet = [PracticePrinter(number=number) for number in (1, 2, 3)]
        hubs: list[Hub] = []
        try:
            with ThreadPoolExecutor(len(fleet)) as threads:
                list(threads.map(PracticePrinter.start, fleet))
            hubs = [Hub(practice, Wire(_port(practice))) for practice in fleet]
            yield Fleet(hubs)
        finally:
            for hub in hubs:
                hub.wire.cut()
            for practice in fleet:
                practice.stop()


def ask(code: str, gcode: Path, *, attempt: int = 1, priority: str = "routine") -> Request:
    """A practice print in the queue."""
    profile = equipment.printer(PRACTICE_PROFILE)
    need = Need(
        name=code,
        hub="here",
        legal_entity=PRACTICE_ENTITY,
        profile=profile.name,
        profile_sha256=profile.sha256,
        size_mm=(90.0, 70.0, 1.0),
        material="PLA",
        print_time_s=5.0,
        mass_g=1.0,
        procedure="practice",
        priority=priority,  # type: ignore[arg-type]
    )
    return Queue().add(
        case_code=code,
        attempt=attempt,
        practice=True,
        gcode=gcode,
        gcode_sha256=sha256_of(gcode),
        approval="practice",
        material_lot="",
        need=need,
        asked_by="drill",
    )


def drill(fleet: Fleet, folder: Path, fault: str, kind: str, code: str) -> Row:
    """One case whose first hub meets the fault; what became of it, after all was looked at."""
    began = time.monotonic()
    dwells = 60 if fault == "during the print" else 12
    filler = "; filler\n" * 120_000  # more than one piece on the wire
    gcode = write_gcode(folder / f"{code}.gcode", dwells=dwells, extra=filler)
    request = ask(code, gcode)
    hub = fleet.hubs["practice"]  # of equal printers the first by name is chosen
    dispatcher = fleet.dispatcher()
    harm = hub.kill if kind == "server killed" else hub.wire.cut
    word, when = FAULTS[fault]
    if word:
        hub.wire.trap = Trap(word, when, harm)
    else:
        dispatcher.tell = _once_it_prints(harm)
    dispatcher.run()
    first = Queue().one(request.number).status
    hub.bring_back()
    fleet.dispatcher().run()
    job = next(job for job in Register().jobs(case_code=code) if job.printer == hub.name)
    if job.state == "lost":
        settle(job.job_id, "failed", "the bed is empty")
        ask(code, gcode, attempt=2)
        fleet.dispatcher().run()
    jobs = Register().jobs(case_code=code)
    return Row(
        *(fault, kind, first, Register().read(job.job_id).state, fleet.starts_most(jobs)),
        served=fleet.finishes(jobs),
        finished_on=tuple(f"{j.printer}, attempt {j.attempt}" for j in jobs if is_finished(j)),
        seconds=time.monotonic() - began,
    )


def is_finished(job: Job) -> bool:
    return job.state == "finished"


def _once_it_prints(harm: Callable[[], None]) -> Callable[[int, Progress], None]:
    done = threading.Event()

    def tell(_: int, progress: Progress) -> None:
        if progress.state == "Printing" and progress.done_bytes and not done.is_set():
            done.set()
            harm()

    return tell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place, three_hubs(Path(place) / "home") as fleet:
        for _ in range(repeats):
            for fault, kind in product(FAULTS, KINDS):
                rows.append(drill(fleet, Path(place), fault, kind, f"D-{len(rows):04d}"))
                sys.stderr.write(f"{rows[-1]}\n")
    with TABLE.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for fault, kind in product(FAULTS, KINDS):
            table.writerow(summary([r for r in rows if (r.fault, r.kind) == (fault, kind)]))
    sys.stdout.write(TABLE.read_text(encoding="utf-8"))
    sys.exit(0 if all(row.is_right for row in rows) else 1)


COLUMNS = ["fault", "kind", "runs", "right", "elsewhere_by_itself", "cleared_up", "settled"]
COLUMNS += ["starts_of_an_attempt_at_most", "prints_at_most", "seconds_median"]


def summary(rows: list[Row]) -> list[object]:
    """One line of the table, of runs with the same fault."""
    return [
        *(rows[0].fault, rows[0].kind, len(rows)),
        sum(row.is_right for row in rows),
        sum(row.first == "done" for row in rows),
        sum(row.job == "finished" for row in rows),
        sum(row.job == "failed" for row in rows),
        max(row.starts_most for row in rows),
        max(row.served for row in rows),
        round(median(row.seconds for row in rows), 1),
    ]


if __name__ == "__main__":
    main()
