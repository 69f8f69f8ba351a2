"""PrusaSlicer without root: the packages of this Debian or Ubuntu, unpacked, not installed."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from labkit.errors import ToolError, ToolMissingError
from labkit.files import storage_errors
from labkit.processes import Finished, find_program, run

_FROM_THE_HOST = re.compile(
    # libc must be the host's; the rest is data, daemons and drawing, not needed for slicing
    r"libc6|libc-bin|gcc-\d+-base|libcrypt1|debconf|dpkg|tar|perl-base|base-files|bash|sed|mawk"
    r"|coreutils|debianutils|init-system-helpers|adduser|passwd|sensible-utils|ucf|tzdata"
    r"|shared-mime-info|bubblewrap|gtk-update-icon-cache|libgl1-mesa-dri"
    r"|(libpam|systemd|udev|dbus|dconf|fontconfig|fonts-|adwaita|hicolor|xdg|libllvm).*"
)

_START = """#!/bin/sh
here=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
exec "$here/bin/prusa-slicer.bin" "$@"
"""


def install_without_root(folder: Path, say: Callable[[str], None]) -> Path:
    """Put PrusaSlicer into ``folder/prusa-slicer``, without root; the path of its program.

    About 140 MB are fetched and 180 MB stay.  apt works on a list of packages of its
    own below ``folder``: what is installed on the machine is neither read nor changed.
    Signatures are checked with the machine's keys.

    Parameters
    ----------
    folder : where the kit keeps its tools (`labkit.processes.tools_folder`).
    say : called with a sentence at each step.

    Raises
    ------
    ToolMissingError
        Not a Debian or Ubuntu, no such package there, or a C library older than the
        package needs.
    ToolError
        apt could not fetch the packages.
    StorageError
        The disk is full, or ``folder`` cannot be written.
    """
    for name in ("apt-get", "dpkg-deb", "ldd"):
        if not find_program(name):
            raise _impossible(f"no {name} on this machine", "a Debian or Ubuntu system")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".prusa-slicer-", dir=folder))
    try:
        with storage_errors(folder):
            _fetch(work / "apt", work / "packages", say)
            say("unpacking")
            for package in sorted((work / "packages").glob("*.deb")):
                _run(["dpkg-deb", "-x", package, work / "root"], timeout_s=300)
            finished = _gather(work / "root", work / "finished")
            say("trying it")
            _try(finished / "bin" / "prusa-slicer")
            target = folder / "prusa-slicer"
            shutil.rmtree(target, ignore_errors=True)
            finished.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"PrusaSlicer is in {target}")
    return target / "bin" / "prusa-slicer"


def _fetch(state: Path, packages: Path, say: Callable[[str], None]) -> None:
    """Download PrusaSlicer's packages and what they need, apart from `_FROM_THE_HOST`."""
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    packages.mkdir()
    options = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",  # empty: as if nothing were installed
        "Dir::Cache": state / "cache",
        "Debug::NoLocking": 1,
        "APT::Sandbox::User": "root",  # do not change the user: only root could
        "Acquire::Languages": "none",
        "APT::Install-Recommends": 0,
        "Acquire::Retries": 3,
    }
    apt = ["apt-get", "-q", *(word for key, v in options.items() for word in ("-o", f"{key}={v}"))]
    say("reading the lists of packages")
    _run([*apt, "update"], timeout_s=300)
    plan = run([*apt, "-s", "install", "prusa-slicer"], timeout_s=120, environment=_plain())
    if plan.exit_code:
        raise _impossible("no package prusa-slicer here", "Debian 12, Ubuntu 24.04 or newer")
    needed = re.findall(r"^Inst (\S+)", plan.output, re.MULTILINE)
    wanted = [name for name in needed if not _FROM_THE_HOST.fullmatch(name)]
    say(f"fetching {len(wanted)} packages, about 140 MB")
    _run([*apt, "download", *wanted], folder=packages, timeout_s=1800)


def _gather(root: Path, finished: Path) -> Path:
    """The program, the libraries that it loads, its presets and its licence, without the rest."""
    program = root / "usr" / "bin" / "prusa-slicer"
    places = [place for place in root.glob("**/lib/*-linux-gnu*") if place.is_dir()]
    search = ":".join(map(str, places))
    listed = run(["ldd", program], timeout_s=60, environment=_plain() | {"LD_LIBRARY_PATH": search})
    said = listed.output + listed.errors
    if too_new := re.search(r"GLIBC_[\d.]+(?=['’] not found)", said):
        raise _impossible(f"a C library older than {too_new[0]}", "the one its packages are for")
    if missing := re.findall(r"(\S+) => not found", said):
        raise _impossible(f"no library {', '.join(missing)}", "all that PrusaSlicer loads")
    (finished / "bin").mkdir(parents=True)
    (finished / "lib").mkdir()
    for library in re.findall(r"=> (/\S+)", said):
        if Path(library).is_relative_to(root):
            shutil.copy(library, finished / "lib")
    shutil.copy(program, finished / "bin" / "prusa-slicer.bin")
    share = root / "usr" / "share"
    shutil.copy(share / "doc" / "prusa-slicer" / "copyright", finished)
    (finished / "profiles").mkdir()
    for bundle in (share / "PrusaSlicer" / "profiles").glob("*.ini"):
        shutil.copy(bundle, finished / "profiles")  # for `labkit profiles import`
    start = finished / "bin" / "prusa-slicer"
    start.write_text(_START, encoding="utf-8")
    start.chmod(0o755)
    return finished


def _try(program: Path) -> None:
    done = run([program, "--help"], timeout_s=60, environment=_plain())
    if "PrusaSlicer-" not in done.output:
        said = (done.errors or done.output).strip().splitlines()
        raise _impossible(
            f"an unpacked PrusaSlicer that does not start: {said[-1] if said else 'silent'}",
            "one that runs with this machine's C library",
        )


def _plain() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def _run(
    command: Sequence[str | Path], *, timeout_s: float, folder: Path | None = None
) -> Finished:
    done = run(command, timeout_s=timeout_s, folder=folder, environment=_plain())
    if done.exit_code:
        said = " ".join(done.errors.split()) or " ".join(done.output.split())
        raise ToolError(
            f"{command[0]} failed: {said[-300:]}",
            expected="the packages of PrusaSlicer",
            where="installation without root",
            fix="look at the network and the room on the disk, and try again",
        )
    return done


def _impossible(found: str, expected: str) -> ToolMissingError:
    return ToolMissingError(
        found,
        expected=expected,
        where="installation of PrusaSlicer without root",
        fix="ask for `apt-get install prusa-slicer` as root, or install PrusaSlicer by other "
        "means and name it in PRUSA_SLICER",
    )
