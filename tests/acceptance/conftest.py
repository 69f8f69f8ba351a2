"""The command as people type it: real slicer, real OctoPrint, real signatures."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labkit.printing.servers.install import install_server
from labkit.printing.servers.practice import PracticePrinter
from labkit.procedures.demo import stock_in_toto_verify
from labkit.processes import Finished, run
from tests.conftest import PROJECT


@dataclass(frozen=True)
class Lab:
    """A lab of its own: what its people type, and where its cases lie."""

    home: Path
    cases: Path

    def labkit(self, *words: str | Path, **environment: str) -> Finished:
        """Run ``labkit`` and wait for its end."""
        return run(self.command(*words), environment=self.environment(environment), timeout_s=600)

    def command(self, *words: str | Path) -> list[str | Path]:
        return [sys.executable, "-m", "labkit", *words]

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "LABKIT_HOME": str(self.home), "COLUMNS": "200", **more}

    def document(self, *words: str | Path) -> Any:
        """What ``labkit … --json`` says; stdout must hold that and nothing else."""
        return json.loads(self.labkit(*words, "--json").output)

    def new(self, name: str, order: Path = PROJECT / "sample_data" / "order.yaml") -> Path:
        """A case made from an order, the sample's if no other is given."""
        case = self.cases / name
        made = self.labkit("new", case, "--order", order)
        assert made.exit_code == 0, made.errors
        return case


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for the session, with its practice printer running."""
    install_server(lambda _: None)
    lab = Lab(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("cases"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(lab.home))
        PracticePrinter().start()
    yield lab
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(lab.home))
        PracticePrinter().stop()


@pytest.fixture(scope="session")
def demo(lab: Lab) -> dict[str, Any]:
    """What ``labkit demo --json`` said; run once."""
    done = lab.labkit("demo", "--case", lab.cases / "demo", "--json")
    assert done.exit_code == 0, done.errors
    found = json.loads(done.output)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def finished(demo: dict[str, Any], tmp_path: Path) -> Path:
    """A copy of the finished demo case, to be changed at will."""
    copy = tmp_path / "case"
    shutil.copytree(demo["case"], copy)
    return copy


@pytest.fixture
def stock() -> Callable[[Path], Finished]:
    """The verifier of the in-toto project itself, as a program."""
    return stock_in_toto_verify
