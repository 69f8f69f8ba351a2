"""The practice printer: a real OctoPrint in front of a printer that exists in software only."""

import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml
from filelock import FileLock

from labkit import processes
from labkit.case import now
from labkit.errors import LabkitError, PrinterError
from labkit.files import storage_errors, write_whole
from labkit.home import home_folder
from labkit.printing.servers.install import install_server, server_program
from labkit.printing.servers.octoprint import NEEDED_RIGHTS, OctoPrint

__all__ = [
    "FASTEST",
    "PracticePrinter",
    "install_server",
    "practice_number",
    "practice_printer",
]

FASTEST = 1000.0
"""Feed factor: how many times faster than written the virtual printer moves."""

_USER = "labkit"


def practice_number(name: str) -> int | None:
    """Which practice printer a name means: ``practice`` is 1, ``practice-2`` is 2; else None."""
    found = re.fullmatch(r"practice(?:-([2-9]|[1-9][0-9]))?", name)
    return None if found is None else int(found[1] or 1)


@dataclass(frozen=True)
class PracticePrinter:
    """A practice printer of this lab: files, history and key persist in ``practice/``.

    It runs on, like a printer would, when the program that started it ends.

    Parameters
    ----------
    feed_factor : how many times faster than written it prints; 1 is still ten times
        real time.  It counts when the printer is started; 0 takes
        ``LABKIT_PRACTICE_FEED``, else `FASTEST`.
    number : of several; the first is called ``practice``, the second ``practice-2``.
    """

    feed_factor: float = 0.0
    number: int = 1

    @property
    def name(self) -> str:
        """What the lab calls it."""
        return "practice" if self.number == 1 else f"practice-{self.number}"

    @property
    def folder(self) -> Path:
        """Its base folder."""
        return home_folder() / self.name

    @property
    def key_file(self) -> Path:
        """The file that holds its key."""
        return self.folder / "key"

    def state(self) -> dict[str, object]:
        """``server.json``: url, pid, started; empty when it is not known to run."""
        try:
            known = json.loads((self.folder / "server.json").read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def attach(self) -> OctoPrint | None:
        """The one that runs already, or None.

        It must answer to our key and be the virtual printer: another server that
        came to the same port since is not taken for it.
        """
        url = self.state().get("url")
        if not isinstance(url, str) or not self.key_file.is_file():
            return None
        printer = OctoPrint(url, self.key_file.read_text().strip())
        try:
            user = printer.who().user
            if not printer.job().is_busy and not printer.job().is_ready:
                printer.connect_printer()  # after a fault it waits for somebody to do so
            if user == _USER and _ready_within(printer, 10):
                return printer
        except PrinterError:
            pass
        return None

    def start(self) -> OctoPrint:
        """The practice printer, ready; the one that runs already if there is one.

        Raises
        ------
        ToolMissingError
            OctoPrint is not installed: see `install_server`.
        PrinterError
            The server did not come up.
        """
        return self._obtain()[0]

    def _obtain(self) -> tuple[OctoPrint, bool]:
        """The printer, and whether it was started for this."""
        with storage_errors(self.folder):
            self.folder.mkdir(mode=0o700, exist_ok=True)
        with FileLock(self.folder / "start.lock"):
            if running := self.attach():
                return running, False
            self._end()
            return self._start(), True

    def stop(self) -> None:
        """End it; files, history and key stay."""
        if self.folder.is_dir():
            with FileLock(self.folder / "start.lock"):
                self._end()

    def _start(self) -> OctoPrint:
        program = server_program()
        base: list[str | Path] = [program, "--basedir", self.folder]
        environment = _plain_environment()
        if not self.key_file.is_file():
            rights = [word for right in sorted(NEEDED_RIGHTS) for word in ("-p", right)]
            password = ["--password", secrets.token_urlsafe(24)]
            added = processes.run(
                [*base, "user", "add", *password, *rights, _USER],
                environment=environment,
                timeout_s=120,
            )
            if not (self.folder / "users.yaml").is_file():
                raise self._failure(added.errors.strip()[-300:])
            key = secrets.token_urlsafe(32)
            seeded = yaml.safe_dump({_USER: [{"api_key": key, "app_id": _USER}]})
            write_whole(self.folder / "data" / "appkeys" / "keys.yaml", seeded, mode=0o600)
            write_whole(self.key_file, key + "\n", mode=0o600)
        # `user add` and the server both rewrite the configuration: ours goes last
        write_whole(self.folder / "config.yaml", self._config(), mode=0o600)
        port = _free_port()
        known: dict[str, object] = {"url": f"http://127.0.0.1:{port}", "pid": None}
        self._write_state(known)
        serve = [*base, "serve", "--host", "127.0.0.1", "--port", str(port)]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            serve.append("--iknowwhatimdoing")
        pid = processes.start(serve, log=self.folder / "server.log", environment=environment)
        self._write_state({**known, "pid": pid, "started": now()})
        printer = OctoPrint(str(known["url"]), self.key_file.read_text().strip())
        if not _ready_within(printer, 90, while_running=pid):
            self._end()
            raise self._failure("it did not answer")
        return printer

    def _end(self) -> None:
        pid = self.state().get("pid")
        if isinstance(pid, int) and processes.is_running(pid) and self._is_ours(pid):
            processes.stop(pid, timeout_s=20)
        (self.folder / "server.json").unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        """Whether the number still names our server, and not a program that came later."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:  # gone; or no /proc here, then only an answer to our key proves it
            return not Path("/proc/self").exists() and self.attach() is not None
        return os.fsencode(self.folder) in words

    def _write_state(self, known: Mapping[str, object]) -> None:
        write_whole(self.folder / "server.json", json.dumps(known, indent=2), mode=0o600)

    def _config(self) -> str:
        chosen = self.feed_factor or float(os.environ.get("LABKIT_PRACTICE_FEED") or FASTEST)
        config = yaml.safe_load((files("labkit.printing.servers") / "practice.yaml").read_text())
        percent = f"S{chosen * 100:.0f}"  # of feed, and of flow: the virtual printer waits for both
        script = f"M220 {percent}\nM221 {percent}"
        config["scripts"] = {"gcode": {"afterPrinterConnected": script}}
        return yaml.safe_dump(config)

    def _failure(self, said: str) -> PrinterError:
        return PrinterError(
            f"the practice server did not come up: {said}",
            expected="OctoPrint to answer within 90 s",
            where=str(self.folder / "server.log"),
            fix=f"look at that file; if in doubt remove the folder {self.name} and run again",
        )


@contextmanager
def practice_printer(feed_factor: float = 0.0, number: int = 1) -> Iterator[OctoPrint]:
    """A practice printer for a while; stopped afterwards only if it was started here.

    A print that still goes on, because watching it was broken off, keeps it alive.
    """
    practice = PracticePrinter(feed_factor, number)
    printer, started = practice._obtain()
    try:
        yield printer
    finally:
        if started and not _is_printing(printer):
            practice.stop()


def _is_printing(printer: OctoPrint) -> bool:
    try:
        return printer.job().is_busy
    except LabkitError:
        return False


def _ready_within(printer: OctoPrint, limit_s: float, *, while_running: int | None = None) -> bool:
    """Whether the server comes to have its virtual printer ready or at work."""
    give_up = time.monotonic() + limit_s
    while time.monotonic() < give_up:
        if while_running is not None and not processes.is_running(while_running):
            return False
        try:
            job = printer.job()
            if (job.is_ready or job.is_busy) and printer.port() == "VIRTUAL":
                return True
        except PrinterError:
            pass  # not yet: refused, or 404 from the page that it shows while it starts
        time.sleep(0.1)
    return False


def _plain_environment() -> dict[str, str]:
    """Ours without proxies, which would come between the server and itself."""
    return {name: text for name, text in os.environ.items() if not name.lower().endswith("_proxy")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
