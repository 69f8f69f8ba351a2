"""How long the demo takes, stage by stage, and what the runner adds to plain papermill.

``python benchmarks/demo.py``: prints a table; the peer (papermill's own engine, one
process per notebook as its command does) runs the same notebook in the same run.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from labkit.case import Case, read_order
from labkit.procedures.demo import run_demo
from labkit.procedures.notebooks import notebook_of, shipped
from labkit.processes import run

REPEATS = 3


def plain_papermill_s(folder: Path) -> float:
    """Seconds for ``papermill 01_scan.ipynb`` on the sample scan."""
    sample = shipped("sample_data")
    case = Case.create(folder, read_order(sample / "order.yaml"))
    words = [sys.executable, "-m", "papermill", "--no-progress-bar", notebook_of("01_scan")]
    words += [folder.with_suffix(".ipynb"), "-p", "case_dir", case.root]
    began = time.perf_counter()
    done = run([*words, "-p", "source", sample / "ct_forearm"], timeout_s=600)
    assert done.exit_code == 0, done.errors
    return time.perf_counter() - began


def main() -> None:
    """Run the demo and the peer, print the figures."""
    with tempfile.TemporaryDirectory() as room:
        os.environ["LABKIT_HOME"] = str(Path(room) / "home")
        run_demo(Path(room) / "warm-up", say=lambda _: None)
        began = time.perf_counter()
        report = run_demo(Path(room) / "demo", say=lambda _: None)
        total = time.perf_counter() - began
        peer = [plain_papermill_s(Path(room) / f"peer-{number}") for number in range(REPEATS)]
    print(f"{'stage':<18}{'seconds':>8}")
    for row in report["stages"]:
        print(f"{row['stage']:<18}{row['seconds']:>8.1f}")
    print(f"{'all, verified':<18}{total:>8.1f}")
    ours, theirs = report["stages"][0]["seconds"], statistics.median(peer)
    print(f"01_scan, signed, against plain papermill: {ours:.1f} / {theirs:.1f} s")
    print(f"ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
