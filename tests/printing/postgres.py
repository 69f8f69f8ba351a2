"""A PostgreSQL server of a test's own, on a socket in its folder; skips where none is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PLACES = "/usr/lib/postgresql"


def _program(name: str) -> str:
    known = sorted(Path(PLACES).glob(f"*/bin/{name}")) if Path(PLACES).is_dir() else []
    found = str(known[-1]) if known else shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: PostgreSQL is not installed")
    return found


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database, for ``LABKIT_DATABASE_URL``."""
    # not in pytest's own folder, which only its owner may enter
    with tempfile.TemporaryDirectory(prefix="labkit-postgres-") as place:
        yield from _serving(Path(place))


def _serving(folder: Path) -> Iterator[str]:
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}"]
        as_user.append("--clear-groups")
    data, options = folder / "data", f"-c listen_addresses='' -c unix_socket_directories={folder}"

    def run(*words: str) -> None:
        done = subprocess.run(
            [*as_user, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr

    control = _program("pg_ctl")
    run(_program("initdb"), "-D", str(data), "-U", "lab", "--auth=trust", "--no-sync")
    log = str(folder / "log")
    run(control, "-D", str(data), "-l", log, "-o", options, "-w", "start")
    try:
        yield f"postgresql+psycopg://lab@/postgres?host={folder}"
    finally:
        run(control, "-D", str(data), "-m", "immediate", "-w", "stop")
