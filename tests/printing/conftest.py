from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.printing.servers.install import VERSION, install_locked, scripts_of
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.practice import PracticePrinter, install_server

from .administrator import Administrator, with_global_key
from .benches import moonraker
from .moonraker_server import MoonrakerServer

NEXT_VERSION = "2.0.0rc7"
with_both_servers = pytest.mark.parametrize("version", [VERSION, NEXT_VERSION])
NEXT_LOCK = Path(__file__).with_name("octoprint-2.lock")


@contextmanager
def running(home: Path, program: Path | None = None) -> Iterator[PracticePrinter]:
    """A practice printer in a lab of its own, stopped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(home))
        config = PracticePrinter._config
        patch.setattr(PracticePrinter, "_config", lambda self: with_global_key(config(self)))
        if program is not None:
            patch.setenv("LABKIT_OCTOPRINT", str(program))
        practice = PracticePrinter()
        try:
            practice.start()
            patch.undo()
            yield practice
        finally:
            patch.setenv("LABKIT_HOME", str(home))
            practice.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticePrinter]:
    """A real OctoPrint with its virtual printer, for all tests; its home is not theirs."""
    install_server(lambda _: None)
    with running(tmp_path_factory.mktemp("server-home", numbered=False)) as practice:
        yield practice


@pytest.fixture(scope="session")
def next_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticePrinter]:
    """The same of the OctoPrint that is to come."""
    made = install_locked("octoprint", NEXT_VERSION, NEXT_LOCK, lambda _: None)
    program = scripts_of(made) / "octoprint"
    with running(tmp_path_factory.mktemp("next-home", numbered=False), program) as practice:
        yield practice


@pytest.fixture
def version() -> str:
    """Of the server that a test speaks to; `with_both_servers` takes the next one, too."""
    return VERSION


@pytest.fixture
def server_home(
    request: pytest.FixtureRequest, version: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    is_next = version == NEXT_VERSION
    request.getfixturevalue("next_server" if is_next else "server")
    return tmp_path_factory.getbasetemp() / ("next-home" if is_next else "server-home")


@pytest.fixture
def printer(server_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OctoPrint:
    """The shared server, from a lab of its own (an empty register)."""
    monkeypatch.setenv("LABKIT_HOME", str(server_home))
    found = PracticePrinter().attach()
    assert found is not None
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    return found


@pytest.fixture
def administrator(printer: OctoPrint) -> Administrator:
    """Who may do everything on the shared server."""
    return Administrator(printer.url)


@pytest.fixture(scope="session")
def moonraker_server() -> Iterator[MoonrakerServer]:
    """A real Moonraker before a stand-in for Klipper, for all tests."""
    with moonraker() as server:
        yield server
