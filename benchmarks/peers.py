"""dicom2stl beside labkit: made once in an environment of its own, run there job by job.

The environment holds the VTK and the SimpleITK that labkit itself runs on, so that the
programs are compared and not their libraries.  It is made from PyPI on first use.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import filelock
import numpy as np
import trimesh

from labkit.errors import ToolMissingError
from labkit.files import written_whole
from labkit.parameters import Segmentation
from labkit.processes import run, tools_folder
from labkit.segmentation import extract_surface, segment
from labkit.surface import read_stl, write_stl
from labkit.volume import Volume, read_nrrd, write_nrrd

Row = dict[str, str]

DICOM2STL = "0.5.0"
OURS: dict[str, dict[str, float]] = {
    "labkit": {},
    "labkit, not reduced": {"decimation_bound_mm": 0.0},
}
PEERS: dict[str, tuple[str, ...]] = {
    "dicom2stl": (),
    "dicom2stl, not reduced": ("--reduce", "0"),
}
"""Each as it comes, and with all its triangles.  dicom2stl at full resolution."""

_WORKER = """
import json, sys, time
from contextlib import redirect_stdout
from dicom2stl.Dicom2STL import Dicom2STL
from dicom2stl.utils.parseargs import createParser
for line in sys.stdin:
    asked = createParser().parse_args(json.loads(line))
    began = time.perf_counter()
    with redirect_stdout(sys.stderr):
        Dicom2STL(asked)
    print(time.perf_counter() - began, flush=True)
"""


def dicom2stl_environment() -> Path:
    """The Python of an environment that holds dicom2stl; about 1 GB, made where there is none.

    Raises
    ------
    ToolMissingError
        It could not be fetched.
    """
    libraries = {name: version(name) for name in ("vtk", "simpleitk")}
    return environment("dicom2stl", {"dicom2stl": DICOM2STL, **libraries})


def environment(name: str, pins: dict[str, str]) -> Path:
    """The Python of an environment that holds these packages, made where there is none.

    Raises
    ------
    ToolMissingError
        They could not be fetched.
    """
    label = "-".join([name, *pins.values()])
    folder = tools_folder() / label
    python = Path("bin") / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_name(f".{label}.lock")):
        if folder.is_dir():
            return folder / python
        made = Path(tempfile.mkdtemp(prefix=f".{label}-", dir=folder.parent))
        wanted = [f"{package}=={pin}" for package, pin in pins.items()]
        try:
            for words in (
                [sys.executable, "-m", "venv", made],
                [made / python, "-m", "pip", "install", "--quiet", *wanted],
            ):
                done = run(words, timeout_s=1800)
                if done.exit_code:
                    raise ToolMissingError(
                        f"{name} could not be installed: {done.errors.strip()[-400:]}",
                        expected="PyPI, or a mirror that pip knows, within reach",
                        where=str(folder.parent),
                        fix="try again with the internet, or leave the peers out: --alone",
                    )
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder / python


def full_resolution(source: Path, stl: Path, threshold_hu: float, *more: str) -> list[str]:
    """What to ask of dicom2stl: no shrinking to 256 voxels, its defaults else."""
    words = [str(source), "-o", str(stl), "-i", f"{threshold_hu:g}", "--disable", "shrink"]
    return [*words, *more]


def run_dicom2stl(jobs: Sequence[Sequence[str]]) -> list[float]:
    """Seconds of each job, from the scan on disk to the STL on disk; imports do not count.

    Parameters
    ----------
    jobs : the words of dicom2stl's command line, one list per job.

    Raises
    ------
    ToolMissingError
        dicom2stl is not there and cannot be fetched.
    """
    done = subprocess.run(
        [dicom2stl_environment(), "-c", _WORKER],
        input="".join(json.dumps(list(job)) + "\n" for job in jobs),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"dicom2stl failed: {done.stderr[-2000:]}")
    return [float(line) for line in done.stdout.split()]


# --- side by side -----------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What a program made of several scans.

    Parameters
    ----------
    meshes : mm, LPS, one per scan, as read back from its STL.
    seconds : per scan, from the volume on disk to the STL on disk.
    """

    meshes: list[trimesh.Trimesh]
    seconds: list[float]

    def columns(self) -> Row:
        """Triangles and seconds, medians over the scans."""
        return {
            "triangles": f"{np.median([len(mesh.faces) for mesh in self.meshes]):.0f}",
            "seconds": f"{np.median(self.seconds):.2f}",
        }


def programs(without_peer: bool) -> list[str]:
    """Which programs are compared."""
    return [*OURS] if without_peer else [*OURS, *PEERS]


def compared(
    scans: Sequence[tuple[Volume, Segmentation]], names: Sequence[str]
) -> dict[str, Found]:
    """Every program on the same files: one NRRD volume per scan in, one STL out."""
    with tempfile.TemporaryDirectory() as room:
        files = [Path(room) / f"{number}.nrrd" for number in range(len(scans))]
        for file, (volume, _) in zip(files, scans, strict=True):
            write_nrrd(volume, file)
        found = {}
        for name in names:
            stls = [file.with_suffix(".stl") for file in files]
            if name in OURS:
                seconds = [
                    _run_labkit(file, stl, parameters.model_copy(update=OURS[name]))
                    for file, stl, (_, parameters) in zip(files, stls, scans, strict=True)
                ]
            else:
                seconds = run_dicom2stl(
                    [
                        # a level between two whole numbers, as labkit takes it
                        full_resolution(file, stl, parameters.threshold_hu + 0.5, *PEERS[name])
                        for file, stl, (_, parameters) in zip(files, stls, scans, strict=True)
                    ]
                )
            found[name] = Found([read_stl(stl) for stl in stls], seconds)
    return found


def _run_labkit(source: Path, stl: Path, parameters: Segmentation) -> float:
    began = time.perf_counter()
    volume = read_nrrd(source)
    surface = extract_surface(volume, segment(volume, parameters), parameters)
    write_stl(surface.mesh, stl)
    return time.perf_counter() - began


def alone(about: str | None) -> bool:
    """Whether the command line asks to leave dicom2stl out; makes its environment if not."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--alone", action="store_true", help="without dicom2stl")
    if parser.parse_args().alone:
        return True
    try:
        dicom2stl_environment()
    except ToolMissingError as error:
        parser.exit(error.exit_code, f"{error}\n")
    return False


def write_table(name: str, rows: Sequence[Row], shown: Callable[[str], bool]) -> None:
    """Write ``benchmarks/data/<name>.csv`` and print its columns that are shown as Markdown."""
    table = Path(__file__).parent / "data" / f"{name}.csv"
    with written_whole(table) as temporary, temporary.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    columns = [column for column in rows[0] if shown(column)]
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row[column] for column in columns) + " |")


if __name__ == "__main__":
    alone(__doc__)
