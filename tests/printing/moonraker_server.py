"""A real Moonraker before a stand-in for Klipper, for tests."""

import os
import platform
import socket
import sqlite3
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from labkit import processes
from labkit.errors import PrinterError
from labkit.printing.servers.install import install_locked, scripts_of
from labkit.printing.servers.moonraker import Moonraker

from .klippy_stand_in import KlippyStandIn

VERSION = "0.11.0"
LOCK = Path(__file__).with_name("moonraker.lock")


def install() -> Path:
    """The ``moonraker`` executable, in an environment of its own; skips where it has no wheels."""
    if (sys.platform, platform.machine()) not in (("linux", "x86_64"), ("darwin", "arm64")):
        pytest.skip(f"moonraker.lock has no wheels for {sys.platform} on {platform.machine()}")
    return scripts_of(install_locked("Moonraker", VERSION, LOCK, lambda _: None)) / "moonraker"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MoonrakerServer:
    """One, with its files below ``folder``, whose path must be short: it holds sockets."""

    def __init__(self, folder: Path, *, trusts: bool = False, snapshot_url: str = "") -> None:
        self._folder, self._trusts = folder, trusts
        self._snapshot_url = snapshot_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pid: int | None = None
        for part in ("config", "gcodes", "logs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        self.klippy = KlippyStandIn(folder / "klippy.sock", folder / "gcodes")

    def start(self) -> None:
        """Both, ready."""
        self.klippy.start()
        self.start_server()

    def start_server(self) -> None:
        """Moonraker only; Klipper may have gone on without it."""
        camera = f"[webcam bed]\nstream_url: /stream\nsnapshot_url: {self._snapshot_url}\n"
        trusted = "trusted_clients: 127.0.0.1\n"
        (self._folder / "config" / "moonraker.conf").write_text(
            f"[server]\nhost: 127.0.0.1\nport: {self.port}\n"
            f"klippy_uds_address: {self._folder / 'klippy.sock'}\n"
            f"[announcements]\ndev_mode: True\n"  # asks nobody for news
            f"[authorization]\n{trusted if self._trusts else ''}"
            f"{camera if self._snapshot_url else ''}"
        )
        plain = {n: v for n, v in os.environ.items() if not n.lower().endswith("_proxy")}
        command: list[str | Path] = [install(), "-d", self._folder]
        log = self._folder / "output.log"
        self.pid = processes.start(command, log=log, environment=plain)
        self.wait()

    def wait(self) -> None:
        """Until it and Klipper are ready."""
        give_up = time.monotonic() + 60
        while self.pid and time.monotonic() < give_up and processes.is_running(self.pid):
            with suppress(PrinterError, sqlite3.Error, TypeError):
                self.printer().who()
                return
            time.sleep(0.05)
        raise AssertionError((self._folder / "output.log").read_text()[-2000:])

    @property
    def key(self) -> str:
        base = self._folder / "database" / "moonraker-sql.db"
        with closing(sqlite3.connect(f"file:{base}?mode=ro", uri=True)) as users:
            asked = "select password from authorized_users where username = '_API_KEY_USER_'"
            return str(users.execute(asked).fetchone()[0])

    def printer(self) -> Moonraker:
        return Moonraker(self.url, self.key)

    def stop_server(self) -> None:
        if self.pid is not None:
            processes.stop(self.pid, timeout_s=10)
            self.pid = None

    def stop(self) -> None:
        self.stop_server()
        self.klippy.disconnect()
