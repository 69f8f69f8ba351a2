"""What the printers' client costs: an upload beside plain requests, and watching a print.

``python benchmarks/printing.py``: starts the practice printer (a real OctoPrint on this machine)
in a lab of its own; writes ``benchmarks/data/printing.csv``, prints it.

Uploads of one file alternate, so that whatever else this machine does falls on both.  The print is
watched by `print_once` in a process of its own; what counts is the processor time of that process
from the call to its return, imports left out.

The limits are what the project was set; whether each is met is printed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import requests
from peers import Row, write_table

from labkit.printing.servers.install import install_server
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.practice import PracticePrinter

ADDED_WITHIN_S, SHARE_WITHIN = 0.050, 0.02
"""Pass: of an upload; of one core."""

ROUNDS = 7
FILE_BYTES = 20_000_000
DWELLS = 640
"""Of 0.1 s each: the print takes over a minute."""

_WATCHER = """
import json, sys, time
from pathlib import Path
from labkit.printing.printers import connect
from labkit.printing.submission import print_once
with connect("practice") as (printer, practice):
    began, busy = time.perf_counter(), time.process_time()
    told = []
    record = print_once(Path(sys.argv[1]), case_code="C-1", printer_name="practice",
                        printer=printer, practice=practice, progress=told.append)
    print(json.dumps({"state": record.state, "told": len(told),
                      "wall_s": time.perf_counter() - began,
                      "busy_s": time.process_time() - busy}))
"""


def upload_row(printer: OctoPrint, key: str, path: Path) -> Row:
    labkit, plain = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        assert printer.upload(path, f"labkit-{number}.gcode", lambda done, size: None)
        labkit.append(time.perf_counter() - began)
        began = time.perf_counter()
        with path.open("rb") as stream:
            answer = requests.post(
                f"{printer.url}/api/files/local",
                files={"file": (f"plain-{number}.gcode", stream)},
                data={"noOverwrite": "true"},
                headers={"X-Api-Key": key},
                timeout=120,
            )
        answer.raise_for_status()
        plain.append(time.perf_counter() - began)
    added = [ours - theirs for ours, theirs in zip(labkit, plain, strict=True)]
    return {
        "measure": f"upload of {FILE_BYTES / 1e6:.0f} MB, s, median of {ROUNDS}",
        "labkit": f"{median(labkit):.3f}",
        "plain_requests": f"{median(plain):.3f}",
        "added": f"{median(added):+.3f}",
        "lowest": f"{min(added):+.3f}",
        "highest": f"{max(added):+.3f}",
        "limit": f"{ADDED_WITHIN_S:g}",
        "met": "yes" if median(added) <= ADDED_WITHIN_S else "NO",
    }


def watching_row(path: Path) -> Row:
    done = subprocess.run(
        [sys.executable, "-c", _WATCHER, str(path)], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["state"] == "finished", told
    share = told["busy_s"] / told["wall_s"]
    return {
        "measure": f"watching a print of {told['wall_s']:.0f} s, share of one core",
        "labkit": f"{share:.4f}",
        "plain_requests": "",
        "added": "",
        "lowest": "",
        "highest": "",
        "limit": f"{SHARE_WITHIN:g}",
        "met": "yes" if share <= SHARE_WITHIN else "NO",
    }


def gcode_of_size(path: Path) -> Path:
    line = "G1 X{:.3f} Y{:.3f} E{:.5f} F3000\n"
    lines = (line.format(n % 90, n % 70, n * 0.02) for n in range(FILE_BYTES))
    with path.open("w") as stream:
        while stream.tell() < FILE_BYTES:
            stream.write(next(lines))
    return path


def slow_gcode(path: Path) -> Path:
    path.write_text("G21\nG90\nM82\nG28\n" + "G4 P100\nG1 X5 F3000\n" * DWELLS + "M84\n")
    return path


def main() -> None:
    install_server(print)
    with tempfile.TemporaryDirectory() as room:
        os.environ["LABKIT_HOME"] = str(Path(room) / "lab")
        practice = PracticePrinter()
        try:
            printer = practice.start()
            key = practice.key_file.read_text().strip()
            rows = [
                upload_row(printer, key, gcode_of_size(Path(room) / "large.gcode")),
                watching_row(slow_gcode(Path(room) / "slow.gcode")),
            ]
        finally:
            practice.stop()
    write_table("printing", rows, lambda column: True)


if __name__ == "__main__":
    main()
