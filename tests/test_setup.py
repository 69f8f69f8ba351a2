"""The set-up: what it installs, that it resumes, and that its lists agree with each other."""

import os
import re
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from labkit.processes import Finished, run

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = [
    Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
]
LOCKS = sorted(
    [
        *ROOT.glob("*.lock"),
        *(f for d in ("setup", "labkit", "tests") for f in ROOT.glob(f"{d}/**/*.lock")),
    ]
)
# programs under the GPL or AGPL, and what downloads a part of itself when first used
DENIED = re.compile(r"octoprint|pymeshfix|pylibjpeg-libjpeg|trame(-.*)?")

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="setup/install.sh is for Linux")


def locked(path: Path) -> dict[str, set[str]]:
    """Name → versions; several where they depend on the Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


# --- the lists ---------------------------------------------------------------------------


def test_the_lock_holds_every_declared_package_in_its_range() -> None:
    versions = locked(ROOT / "requirements.lock")
    for wanted in DECLARED:
        assert canonicalize_name(wanted.name) in versions, f"{wanted.name} is not in the lock"
        for version in versions[canonicalize_name(wanted.name)]:
            assert wanted.specifier.contains(version), f"{wanted} but the lock has {version}"


def test_conda_names_every_declared_package_with_the_same_bounds() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    lines = [line for line in listed if isinstance(line, str)]
    lines += next(line["pip"] for line in listed if isinstance(line, dict))
    by_conda = {
        canonicalize_name(wanted.name): wanted.specifier
        for wanted in map(Requirement, (line for line in lines if not line.startswith("-")))
    }
    assert by_conda.pop(canonicalize_name("python")) == PROJECT["requires-python"]
    del by_conda[canonicalize_name("pip")]
    assert by_conda == {canonicalize_name(wanted.name): wanted.specifier for wanted in DECLARED}


def test_every_line_for_conda_says_what_it_is_for() -> None:
    for line in (ROOT / "environment.yml").read_text("utf-8").splitlines():
        assert re.search(r"\S  # \S+ \S+", line), f"no comment: {line}"


def test_nothing_unwanted_is_locked_for_the_kit_itself() -> None:
    names = locked(ROOT / "requirements.lock")
    assert [name for name in names if DENIED.fullmatch(name)] == []


def test_the_locks_of_the_environment_agree() -> None:
    kit = locked(ROOT / "requirements.lock")
    for name, versions in locked(ROOT / "setup/build.lock").items():
        assert versions == kit.get(name, versions), f"{name} is locked in two versions"
    assert "hatchling" in locked(ROOT / "setup/build.lock")


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_gives_a_hash_for_every_package(path: Path) -> None:
    entries = re.split(r"^(?=[\w.-]+==)", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(
    "path",
    [
        *LOCKS,
        *(ROOT / name for name in ("Makefile", ".ci/run", "environment.yml", "pyproject.toml")),
        ROOT / "setup/install.sh",
    ],
    ids=lambda path: path.name,
)
def test_no_lock_or_script_names_a_server(path: Path) -> None:
    named = re.compile(r"\w+://|--(extra-)?index-url|--find-links|pythonhosted|pypi\.org|anaconda")
    assert named.findall(path.read_text("utf-8")) == []


# --- setup/install.sh on a made-up machine -----------------------------------------------

COMMON = re.findall(
    r"\w+",
    "bash sh cat chmod cp cut dirname env find flock grep mkdir mktemp mv rm sed tail touch",
)

PYTHON = """#!/bin/sh
# stands for Python: code runs in the real one, modules are only written down
[ "$1" = -c ] && exec {real} "$@"
case "$*" in *"pip config"*) exit 1 ;; esac
echo "python $*" >> {log}
case "$*" in
"-m venv --clear .venv")
    rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python
    echo "#!$PWD/.venv/bin/python" > .venv/bin/pip; chmod +x .venv/bin/pip ;;
*setup/installer.lock) [ -z "$NO_UV" ] || exit 1; cp {uv} .venv/bin/uv ;;
*"-e .") cp {labkit} .venv/bin/labkit ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> {log}
echo "uv sees $PIP_CERT $SSL_CERT_FILE $UV_DEFAULT_INDEX" >> {seen}
case "$*" in
*"$KILLED_AT"*) [ -z "$KILLED_AT" ] || kill -9 $PPID ;;
esac
case "$*" in
*"$FAILS_AT"*) [ -z "$FAILS_AT" ] || {{ echo "no such wheel" >&2; exit 1; }} ;;
esac
case "$*" in *"-e .") cp {labkit} .venv/bin/labkit ;; esac
"""
LABKIT = """#!/bin/sh
echo "labkit $*" >> {log}
[ -n "$LACKING" ] || exit 0
case "$*" in *--json)
    printf '{{"tools": [{{"tool": "x", "state": "ok"}},'
    printf '{{"tool": "%s", "state": "missing"}}]}}' "$LACKING"
esac
exit 3
"""
APT_GET = """#!/bin/sh
echo "apt-get $*" >> {log}
case "$*" in *update) touch {lists} ;; esac
"""
APT_CACHE = """#!/bin/sh
[ -e {lists} ] || exit 0
case "$2" in
prusa-slicer) version=${{SLICER_OFFERED:-2.5.0+dfsg-4}} ;;
chromium) version=${{CHROMIUM_OFFERED:-(none)}} ;;
*) version=1.0 ;;
esac
printf '%s:\\n  Installed: (none)\\n  Candidate: %s\\n' "$2" "$version"
"""
DPKG_QUERY = """#!/bin/sh
for last; do :; done
case " $HAS " in *" $last "*) echo =installed=; exit ;; esac
just_now=$(grep ' install ' {log} 2>/dev/null | tail -n 1)
case "$just_now " in *" install "*" $last "*) echo =installed= ;; *) exit 1 ;; esac
"""
DPKG = """#!/bin/sh
[ "$1 $3 $4" = "--compare-versions lt 2.5" ] && case "$2" in 2.[0-4].*) ;; *) exit 1 ;; esac
"""


@dataclass
class Machine:
    """A folder like a fresh clone, and the few programs of a small machine."""

    folder: Path
    programs: Path
    log: Path
    seen: Path

    def add(self, name: str, text: str = "#!/bin/sh\n") -> None:
        program = self.programs / name
        program.write_text(text)
        program.chmod(0o755)

    def set_up(self, *words: str, **environment: str) -> Finished:
        return run(
            [self.folder / "setup/install.sh", *words],
            environment={"PATH": str(self.programs), "HOME": str(self.folder)} | environment,
            timeout_s=60,
        )

    def done(self) -> list[str]:
        """What was started since this was last asked, in order."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines

    @property
    def counts_as_done(self) -> bool:
        return (self.folder / ".venv/labkit-setup").exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder, programs, hidden = (tmp_path / name for name in ("a kit", "bin", "hidden"))
    for path in (folder / "labkit/printing/servers", programs, hidden):
        path.mkdir(parents=True)
    shutil.copytree(ROOT / "setup", folder / "setup")
    for name in ("requirements.lock", "pyproject.toml", "labkit/printing/servers/octoprint.lock"):
        (folder / name).write_text("# short\n")
    for name in COMMON:
        real = shutil.which(name, path="/usr/bin:/bin")
        if real is None:
            pytest.skip(f"no {name} on this machine")
        (programs / name).symlink_to(real)
    made = Machine(folder, programs, tmp_path / "log", tmp_path / "seen")
    places = {
        "real": sys.executable,
        "log": made.log,
        "seen": made.seen,
        "uv": hidden / "uv",
        "labkit": hidden / "labkit",
        "lists": tmp_path / "lists",
    }
    for name, text in {"uv": UV, "labkit": LABKIT}.items():
        (hidden / name).write_text(text.format(**places))
        (hidden / name).chmod(0o755)
    for name, text in {
        "python3": PYTHON,
        "apt-get": APT_GET,
        "apt-cache": APT_CACHE,
        "dpkg-query": DPKG_QUERY,
        "dpkg": DPKG,
        "id": "#!/bin/sh\necho ${{USER_ID:-0}}\n",
        "prusa-slicer": "#!/bin/sh\n",
    }.items():
        made.add(name, text.format(**places))
    (tmp_path / "lists").touch()
    return made


GL = "libegl1 libgl1-mesa-dri"
SERVERS = "orthanc orthanc-dicomweb dicom3tools postgresql"
VENV = "python -m venv --clear .venv"


@on_linux
def test_a_first_run_does_all_and_a_second_nothing(machine: Machine) -> None:
    first = machine.set_up(HAS=GL)
    assert first.exit_code == 0, first.errors
    steps = machine.done()
    assert [step.split()[0] for step in steps] == ["python", "python", "uv", "uv", "labkit"]
    assert steps[0] == VENV
    for step in steps[1:3]:
        assert "--require-hashes" in step
    assert "--only-binary :all:" in steps[1]
    assert "--no-build " in steps[2]
    assert "-r requirements.lock -r setup/build.lock" in steps[2]
    assert steps[3].endswith("--no-deps --no-build-isolation -e .")
    assert steps[4] == "labkit doctor --install"

    second = machine.set_up(HAS=GL)
    assert (second.exit_code, second.output, second.errors) == (0, "", "")
    assert machine.done() == []


@on_linux
@pytest.mark.parametrize(
    "changed",
    [
        "requirements.lock",
        "pyproject.toml",
        "setup/install.sh",
        "setup/build.lock",
        "labkit/printing/servers/octoprint.lock",
    ],
)
def test_a_change_of_what_it_is_made_from_is_installed(machine: Machine, changed: str) -> None:
    machine.set_up(HAS=GL)
    machine.done()
    with (machine.folder / changed).open("a") as stream:
        stream.write("# changed\n")
    assert machine.set_up(HAS=GL).exit_code == 0
    steps = machine.done()
    assert "labkit doctor --install" in steps
    assert VENV not in steps, "the environment itself was still good"
    assert machine.set_up(HAS=GL).exit_code == 0
    assert machine.done() == []


@on_linux
@pytest.mark.parametrize(
    "failure",
    [{"FAILS_AT": "requirements.lock"}, {"FAILS_AT": "-e ."}, {"LACKING": "PrusaSlicer"}],
    ids=lambda failure: str(*failure.values()),
)
def test_a_failed_step_is_told_and_taken_up_again(
    machine: Machine, failure: dict[str, str]
) -> None:
    failed = machine.set_up(HAS=GL, **failure)
    assert failed.exit_code == 3
    assert "run it again to go on" in failed.errors
    assert ("no such wheel" in failed.errors) == ("FAILS_AT" in failure)
    assert not machine.counts_as_done
    machine.done()
    assert machine.set_up(HAS=GL).exit_code == 0
    assert VENV not in machine.done()
    assert machine.counts_as_done


@on_linux
def test_simpler_pictures_do_not_stop_the_set_up(machine: Machine) -> None:
    ended = machine.set_up(LACKING="off-screen graphics", USER_ID="1000")
    assert ended.exit_code == 0
    assert "without libegl1 and libgl1-mesa-dri the 3D pictures are simpler" in ended.errors
    assert machine.counts_as_done
    for path in ("setup/install.sh", "labkit/doctor.py"):
        assert '"off-screen graphics"' in (ROOT / path).read_text("utf-8")


@on_linux
def test_a_killed_installation_starts_over(machine: Machine) -> None:
    assert machine.set_up(HAS=GL, KILLED_AT="requirements.lock").exit_code == -9
    assert not machine.counts_as_done
    machine.done()
    assert machine.set_up(HAS=GL).exit_code == 0
    assert machine.done()[0] == VENV


@on_linux
def test_a_moved_folder_gets_a_new_environment(machine: Machine) -> None:
    machine.set_up(HAS=GL)
    machine.done()
    machine.folder = machine.folder.rename(machine.folder.with_name("elsewhere"))
    assert machine.set_up(HAS=GL).exit_code == 0
    assert machine.done()[0] == VENV


@on_linux
def test_pip_takes_over_where_uv_cannot_be_had(machine: Machine) -> None:
    ended = machine.set_up(HAS=GL, NO_UV="1")
    assert ended.exit_code == 0, ended.errors
    assert "going on with pip" in ended.errors
    packages = machine.done()[2]
    assert packages.startswith("python -m pip install --only-binary :all: --require-hashes")


@on_linux
def test_uv_is_told_of_certificates_and_mirror(machine: Machine) -> None:
    machine.set_up(HAS=GL, SSL_CERT_FILE="/ca.crt", PIP_INDEX_URL="mirror")
    assert machine.seen.read_text().splitlines()[0] == "uv sees /ca.crt /ca.crt mirror"
    (machine.folder / ".venv/labkit-setup").unlink()
    machine.seen.unlink()
    machine.set_up(HAS=GL, PIP_CERT="/pip.crt")
    assert machine.seen.read_text().splitlines()[0] == "uv sees /pip.crt /pip.crt "


@on_linux
def test_root_installs_what_is_missing_and_only_that(machine: Machine) -> None:
    assert machine.set_up(HAS="libegl1").exit_code == 0
    assert [step for step in machine.done() if step.startswith("apt")] == [
        "apt-get -o DPkg::Lock::Timeout=300 -y install --no-install-recommends libgl1-mesa-dri"
    ]


@on_linux
def test_apt_gets_its_lists_only_when_it_has_none(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "lists").unlink()
    (machine.programs / "prusa-slicer").unlink()
    assert machine.set_up().exit_code == 0
    update, install, *_ = machine.done()
    assert update.endswith("update")
    assert install.endswith("prusa-slicer libegl1 libgl1-mesa-dri")


@on_linux
def test_without_root_it_goes_on_and_says_what_is_lacking(machine: Machine) -> None:
    (machine.programs / "prusa-slicer").unlink()
    ended = machine.set_up(USER_ID="1000")
    assert ended.exit_code == 0, ended.errors
    assert "apt-get install --no-install-recommends prusa-slicer libegl1 libgl1" in ended.errors
    assert not [step for step in machine.done() if step.startswith("apt")]


@on_linux
def test_sudo_is_never_asked_for_a_password_without_a_terminal(machine: Machine) -> None:
    machine.add("sudo", f'#!/bin/sh\necho "sudo $*" >> "{machine.log}"\nexit 1\n')
    assert machine.set_up(USER_ID="1000").exit_code == 0
    assert [step for step in machine.done() if step.startswith("sudo")] == ["sudo -n true"]


@on_linux
def test_a_slicer_that_is_too_old_is_not_installed(machine: Machine) -> None:
    (machine.programs / "prusa-slicer").unlink()
    ended = machine.set_up(HAS=GL, SLICER_OFFERED="2.4.0+dfsg-1")
    assert "2.5 or newer is needed, apt here has 2.4.0" in ended.errors
    assert not [step for step in machine.done() if step.startswith("apt")]


@on_linux
@pytest.mark.parametrize("chosen", [None, "python-none"])
def test_a_machine_without_a_new_python_is_told(machine: Machine, chosen: str | None) -> None:
    machine.add("python3", "#!/bin/sh\nexit 1\n")
    ended = machine.set_up(HAS=GL, **({"PYTHON": chosen} if chosen else {}))
    assert ended.exit_code == 3
    assert "no Python 3.11 or newer found" in ended.errors
    assert not machine.counts_as_done


@on_linux
def test_the_tests_bring_their_browser_where_there_is_one(machine: Machine) -> None:
    machine.add("make")
    without = machine.set_up("--tests", HAS=f"{GL} {SERVERS} libatomic1")
    assert without.exit_code == 0
    assert "tests in a browser will be skipped" in without.errors
    assert not [step for step in machine.done() if step.startswith("apt")]
    machine.set_up("--tests", HAS=f"{GL} {SERVERS}", CHROMIUM_OFFERED="140.0")
    assert [step.split()[-2:] for step in machine.done()] == [["chromium", "libatomic1"]]


@on_linux
def test_servers_that_the_tests_bring_do_not_run_as_services(machine: Machine) -> None:
    for name in ("make", "chromium"):
        machine.add(name)
    machine.add("systemctl", f"#!/bin/sh\necho systemctl $* >> {machine.log}\n")
    assert machine.set_up("--tests", HAS=f"{GL} {SERVERS} libatomic1").exit_code == 0
    assert not [step for step in machine.done() if step.startswith(("apt", "systemctl"))]
    assert machine.set_up("--tests", HAS=f"{GL} libatomic1").exit_code == 0
    installed, *others = machine.done()
    assert installed.endswith(SERVERS)
    assert [one for one in others if "disable" in one] == [
        "systemctl disable orthanc",
        "systemctl disable postgresql",
    ]


# --- make and .ci/run --------------------------------------------------------------------


@on_linux
def test_make_test_runs_every_check_after_the_set_up() -> None:
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    shown = run(["make", "--dry-run", "test"], folder=ROOT, timeout_s=60)
    assert shown.exit_code == 0, shown.errors
    places = [
        shown.output.index(words)
        for words in (
            "setup/install.sh --tests",
            ".venv/bin/ruff check",
            ".venv/bin/ruff format",
            ".venv/bin/mypy",
            ".venv/bin/pytest",
        )
    ]
    assert places == sorted(places)
    assert "--check" in shown.output


@on_linux
def test_ci_shows_the_tests_the_real_data(machine: Machine, tmp_path: Path) -> None:
    (machine.folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", machine.folder / ".ci/run")
    machine.add("make", '#!/bin/sh\necho "make $* data=$LABKIT_REAL_DATA CI=$CI"\nexit 5\n')
    environment = {"PATH": str(machine.programs), "HOME": str(tmp_path), "HAS": GL}
    bare = run([machine.folder / ".ci/run"], environment=environment, timeout_s=60)
    assert (bare.exit_code, bare.output) == (5, "make test data= CI=1\n")
    (tmp_path / "shared/data").mkdir(parents=True)
    found = run([machine.folder / ".ci/run"], environment=environment, timeout_s=60)
    assert found.output == f"make test data={tmp_path / 'shared/data'} CI=1\n"
    assert os.access(ROOT / ".ci/run", os.X_OK)
