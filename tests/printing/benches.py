"""The kinds of printer under one handle, for tests that want the same of all of them."""

import os
import shutil
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from labkit.errors import PrinterError
from labkit.printing.servers.kind import Printer
from labkit.printing.servers.moonraker import Moonraker
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.prusalink import PrusaLink

from .moonraker_server import MoonrakerServer
from .prusalink_stand_in import PrusaLinkStandIn, prusalink

KINDS: dict[str, type[OctoPrint] | type[Moonraker] | type[PrusaLink]] = {
    "octoprint": OctoPrint,
    "moonraker": Moonraker,
    "prusalink": PrusaLink,
}


class Bench(ABC):
    """A printer that is ready, and what a person could do to it."""

    fault_line: ClassVar[str] = ""
    """G-code that breaks the printer down, where `break_down` cannot."""

    printer: Printer

    @abstractmethod
    def with_key(self, key: str) -> Printer:
        """The same printer for who has another key."""

    @abstractmethod
    def take_offline(self) -> None:
        """Cut the printer off from its server."""

    @abstractmethod
    def make_ready(self) -> None:
        """Put everything right, and take off what was printed."""

    @abstractmethod
    def break_down(self) -> None:
        """Let the print that goes on fail."""

    def kill(self) -> None:
        """Let the server die."""
        raise NotImplementedError

    def wait(self, *phases: str, limit_s: float = 20.0) -> None:
        """Until the printer is in one of the phases."""
        give_up = time.monotonic() + limit_s
        while (job := self.printer.job()).phase not in phases or job.state == "Pausing":
            assert time.monotonic() < give_up, job
            time.sleep(0.05)


class OctoPrintBench(Bench):
    fault_line = "!!DEBUG:trigger_fatal_error_marlin"

    def __init__(self, printer: OctoPrint) -> None:
        self.printer = self._server = printer

    def with_key(self, key: str) -> Printer:
        return OctoPrint(self._server.url, key)

    def take_offline(self) -> None:
        self._server._post("/api/connection", command="disconnect")

    def break_down(self) -> None:
        """Its G-code does."""

    def make_ready(self) -> None:
        job = self.printer.job()
        with suppress(PrinterError):  # it may have ended by itself
            if job.is_busy:
                self.printer.cancel()
            elif not job.is_ready:
                self._server.connect_printer()
        self.wait("ready")


class MoonrakerBench(Bench):
    def __init__(self, server: MoonrakerServer) -> None:
        self.server, self.printer = server, server.printer()

    def with_key(self, key: str) -> Printer:
        return Moonraker(self.server.url, key)

    def take_offline(self) -> None:
        self.server.klippy.disconnect()

    def break_down(self) -> None:
        self.server.klippy.shut_down("MCU 'mcu' shutdown: Heater extruder not heating")

    def make_ready(self) -> None:
        if not self.printer.job().is_ready:
            self.server.klippy.disconnect()
            self.wait("offline")
            self.server.klippy.start()
            self.server.wait()

    def kill(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)


class PrusaLinkBench(Bench):
    def __init__(self, server: PrusaLinkStandIn) -> None:
        self.server = server
        self.printer = PrusaLink(server.url, server.password)

    def with_key(self, key: str) -> Printer:
        return PrusaLink(self.server.url, key)

    def take_offline(self) -> None:
        self.server.attention = True

    def break_down(self) -> None:
        self.server.break_down()

    def make_ready(self) -> None:
        self.server.attention = False
        self.server.clear_bed()

    def kill(self) -> None:
        self.server.is_dead = True


@contextmanager
def moonraker(*, trusts: bool = False, snapshot_url: str = "") -> Iterator[MoonrakerServer]:
    """A real Moonraker, ready; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mk-"))  # short: a socket's path has 107 bytes
    server = MoonrakerServer(folder, trusts=trusts, snapshot_url=snapshot_url)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def own_bench(kind: str) -> Iterator[Bench]:
    """A bench that a test may destroy."""
    if kind == "moonraker":
        with moonraker() as server:
            yield MoonrakerBench(server)
    else:
        with prusalink() as printer:
            yield PrusaLinkBench(printer)
