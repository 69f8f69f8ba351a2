"""A process that imports damaged scans one after the other, and says how each ended.

To see some of them again: ``python -m tests.scan.mutation_worker 1234 1235 REPORT``.
"""

import faulthandler
import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from labkit.errors import LabkitError
from labkit.scan import choose, discover, read_volume
from tests.scan.mutations import ZEROS_GIB, case_of, zeros_deflated
from tests.scan.whole_scans import BASES, base

MEMORY_BYTES = 2 * 2**30
CPU_SECONDS = 10


def end_of(seed: int) -> dict[str, Any]:
    """How the import of a damaged scan ends: with a volume, an error of ours, or a fault."""
    mutated = case_of(seed)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in mutated.files.items():
            (Path(folder) / name).write_bytes(content)
        told = {"seed": seed, "told": mutated.told}
        started = time.process_time()
        try:
            by_itself = "scan.zip" in mutated.files or (len(mutated.files) == 1 and seed % 2)
            one = next(iter(mutated.files)) if by_itself else ""
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # they quote what headers hold
                volume = read_volume(choose(discover(Path(folder) / one).series))
            sound = volume.voxels.dtype == np.int16 and np.isfinite(volume.ijk_to_lps).all()
            end = "volume" if sound and np.linalg.det(volume.direction) > 0 else "unsound volume"
        except LabkitError as error:
            end = _hidden(error) or "refused"
            told["why"] = error.found
        except BaseException:
            end, told["why"] = "traceback", traceback.format_exc()
        return {**told, "end": end, "seconds": round(time.process_time() - started, 2)}


def _hidden(error: BaseException | None) -> str:
    """What an error of ours must not hide: too much memory asked for, a slip in the code."""
    while error is not None:
        if isinstance(error, MemoryError | NameError):
            return f"refused after a {type(error).__name__}"
        error = error.__cause__ or error.__context__
    return ""


def _work(first: int, last: int, report: Path) -> None:
    """Write one line per seed: first that it begins, then how it ended."""
    faulthandler.enable()
    for name in BASES:
        base(name)
    zeros_deflated(ZEROS_GIB)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY_BYTES,) * 2)
    with report.open("a") as stream:
        for seed in range(first, last):
            print(
                json.dumps({"seed": seed, "told": case_of(seed).told, "end": "began"}),
                file=stream,
                flush=True,
            )
            used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS + 1, hard))
            faulthandler.dump_traceback_later(12 * CPU_SECONDS, exit=True)
            print(json.dumps(end_of(seed)), file=stream, flush=True)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    _work(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
