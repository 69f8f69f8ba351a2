"""What several rooms' tests need: a lab of their own, the sample scan, real data."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.case import Case, Order
from labkit.cli import main
from labkit.scan import choose, discover, read_volume
from labkit.volume import Volume

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # begun in the background of a shell: the programs that tests interrupt would ignore it, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = Path(__file__).parents[1]
SAMPLE = PROJECT / "sample_data" / "ct_forearm"


@pytest.fixture
def lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab's folder of its own."""
    home = tmp_path / "home"
    monkeypatch.setenv("LABKIT_HOME", str(home))
    return home


Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Runs a command in this process; its exit code, stdout and stderr."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture(scope="session")
def sample_volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    """The sample forearm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(tmp_path_factory.mktemp("home")))
        series = discover(SAMPLE).series
        yield read_volume(choose(series))


@pytest.fixture
def order() -> Order:
    """An order of the sample."""
    return Order(
        case="C-0001",
        patient_code="P-1",
        anatomy="distal radius and ulna",
        laterality="right",
        requested_by="course leader",
        practice=True,
    )


@pytest.fixture
def case(tmp_path: Path, lab_home: Path, order: Order) -> Case:
    """A case with nothing done yet."""
    return Case.create(tmp_path / "case", order)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans, meshes and G-code that the tests may read."""
    place = os.environ.get("LABKIT_REAL_DATA")
    if not place or not Path(place).is_dir():
        pytest.skip("LABKIT_REAL_DATA names no folder of real data")
    return Path(place)
