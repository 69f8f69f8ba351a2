"""2,000 damaged scans: each ends with a volume or with an error of ours."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from labkit.scan import choose, discover, read_volume
from tests.conftest import PROJECT
from tests.scan.mutations import ANY, BOMB_EVERY, DICOM, OTHER, case_of
from tests.scan.whole_scans import BASES

CASES, WORKERS = 2000, 2


def test_no_damaged_scan_ends_in_a_traceback_a_crash_or_a_hang(tmp_path: Path) -> None:
    each = CASES // WORKERS
    with ThreadPoolExecutor(WORKERS) as pool:
        shares = pool.map(
            lambda n: _ends(n * each, (n + 1) * each, tmp_path / str(n)), range(WORKERS)
        )
        ends = [end for share in shares for end in share]
    assert [end["seed"] for end in ends] == list(range(CASES))
    faults = [end for end in ends if end["end"] not in ("volume", "refused")]
    assert not faults, "\n\n".join(
        f"seed {end['seed']} ({end['told']}): {end['end']}\n{end.get('why', '')}" for end in faults
    )
    counts = Counter(end["end"] for end in ends)
    assert min(counts["volume"], counts["refused"]) > CASES // 20


def _ends(first: int, last: int, folder: Path) -> list[dict[str, Any]]:
    """How each case ended; a worker that dies of one is started again at the next."""
    folder.mkdir()
    report, errors = folder / "report", folder / "errors"
    ends: dict[int, dict[str, Any]] = {}
    while first < last:
        report.write_text("")
        command = [sys.executable, "-m", "tests.scan.mutation_worker"]
        with errors.open("wb") as stream:
            exit_code = subprocess.run(
                [*command, str(first), str(last), str(report)],
                cwd=PROJECT,
                env={**os.environ, "LABKIT_HOME": str(folder / "home")},
                stdout=stream,
                stderr=stream,
                check=False,
            ).returncode
        lines: list[dict[str, Any]] = [json.loads(line) for line in report.read_text().splitlines()]
        ends |= {line["seed"]: line for line in lines}
        begun = [{"seed": first, "told": "before it began"}, *lines][-1]
        if exit_code:
            why = errors.read_text(errors="replace")[:2000]
            ends[begun["seed"]] = {**begun, "end": f"died ({exit_code})", "why": why}
        first = begun["seed"] + 1
    return [ends[seed] for seed in sorted(ends)]


def test_the_cases_are_the_same_on_every_run_and_of_every_kind() -> None:
    cases = [case_of(seed) for seed in range(1, 400)]
    assert cases[:50] == [case_of(seed) for seed in range(1, 51)]
    told = {case.told.split(", ")[0] for case in cases}
    damage = {case.told.split(", ")[1] for case in cases}
    assert told == set(BASES)
    mutations = [*ANY, *DICOM, *OTHER]
    assert damage >= {mutation.__name__.replace("_", " ") for mutation in mutations}
    assert "bomb" in case_of(BOMB_EVERY).told


def test_the_undamaged_scans_are_read(tmp_path: Path, lab_home: Path) -> None:
    shapes = {}
    for name, make in BASES.items():
        folder = tmp_path / name
        folder.mkdir()
        for file, content in make().items():
            (folder / file).write_bytes(content)
        source = folder / "scan.zip" if name == "zip" else folder
        shapes[name] = read_volume(choose(discover(source).series)).voxels.shape
    assert shapes == dict.fromkeys(BASES, (4, 24, 20))
