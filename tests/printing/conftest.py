from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.printing.octoprint import OctoPrint
from labkit.printing.practice import PracticePrinter, install_server

from .benches import moonraker
from .moonraker_server import MoonrakerServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticePrinter]:
    """A real OctoPrint with its virtual printer, for all tests; its home is not theirs."""
    install_server(lambda _: None)
    home = tmp_path_factory.mktemp("server-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(home))
        practice = PracticePrinter()
        practice.start()
    yield practice
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(home))
        practice.stop()


@pytest.fixture(scope="session")
def server_home(server: PracticePrinter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "server-home0"


@pytest.fixture
def printer(server_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OctoPrint:
    """The shared server, from a lab of its own (an empty register)."""
    monkeypatch.setenv("LABKIT_HOME", str(server_home))
    found = PracticePrinter().attach()
    assert found is not None
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    return found


@pytest.fixture(scope="session")
def moonraker_server() -> Iterator[MoonrakerServer]:
    """A real Moonraker before a stand-in for Klipper, for all tests."""
    with moonraker() as server:
        yield server
