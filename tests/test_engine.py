import asyncio
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
import pytest
from jupyter_client.channels import AsyncZMQSocketChannel

from labkit import processes
from labkit.errors import InputError, ParameterError, ScanError, StorageError, ToolError
from labkit.procedures import engine
from labkit.procedures.engine import OnCell, run_notebook
from labkit.views import offscreen


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))


def notebook(path: Path, *cells: str) -> Path:
    v4 = nbformat.v4
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = v4.new_notebook(
        metadata={"kernelspec": kernel},
        cells=[
            v4.new_markdown_cell("# A title\n\nwords"),
            v4.new_code_cell(
                "height_mm: float = 1.0  # help, mm", metadata={"tags": ["parameters"]}
            ),
            v4.new_markdown_cell("## 1 Work"),
            *(v4.new_code_cell(cell) for cell in cells),
        ],
    )
    nbformat.write(made, path)
    return path


def run(
    source: Path,
    parameters: dict[str, Any] | None = None,
    *,
    environment: dict[str, str] | None = None,
    timeout_s: float = 60,
    on_cell: OnCell | None = None,
) -> Any:
    output = source.with_suffix(".out.ipynb")
    run_notebook(
        source,
        output,
        parameters or {},
        folder=source.parent,
        environment=environment or {},
        timeout_s=timeout_s,
        on_cell=on_cell,
    )
    return nbformat.read(output, 4)


def text_of(executed: Any, cell: int = -1) -> str:
    return "".join(output.get("text", "") for output in executed.cells[cell].outputs)


def test_the_kernel_gets_parameters_folder_and_environment_and_says_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = notebook(
        tmp_path / "a.ipynb",
        "import os, sys",
        "print(height_mm, os.getcwd(), os.environ['MINE'], hash('a') == hash('a'))\n"
        "print(sys.executable, os.environ['PYTHONHASHSEED'], os.environ['LABKIT_OFFSCREEN'])\n"
        "print(os.listdir(os.environ['VTK_WASM_DIR_OVERRIDE']))",
    )
    told: list[tuple[Any, ...]] = []
    executed = run(
        source, {"height_mm": 2.5}, environment={"MINE": "yes"}, on_cell=lambda *a: told.append(a)
    )
    assert text_of(executed).splitlines() == [
        f"2.5 {tmp_path} yes True",
        f"{sys.executable} 0 {offscreen.window_class() or 'none'}",
        "[]",
    ]
    heads = [(1, 4, "A title"), (2, 4, "A title"), (3, 4, "1 Work"), (4, 4, "1 Work")]
    assert [each[:3] for each in told] == heads
    ids = [cell.id for cell in nbformat.read(source, 4).cells if cell.cell_type == "code"]
    names = [ids[0], engine.INJECTED, *ids[1:]]
    assert [each[3] for each in told] == [names, names[1:], names[2:], names[3:]]
    streams = [out.get("name") for cell in executed.cells for out in cell.get("outputs", [])]
    assert "stderr" not in streams
    assert capfd.readouterr() == ("", "")


def test_a_parameter_of_a_family_reaches_the_kernel_and_nobody_is_told_that_it_is_unknown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, output = notebook(tmp_path / "a.ipynb", "pass", "print(wall_mm)"), tmp_path / "b.ipynb"
    given: dict[str, Any] = {"height_mm": 2.5, "wall_mm": 3.0}
    run_notebook(
        source, output, given, folder=tmp_path, environment={}, timeout_s=60, family={"wall_mm"}
    )
    assert text_of(nbformat.read(output, 4)) == "3.0\n"
    assert capfd.readouterr() == ("", "")


def test_every_wait_for_the_kernel_is_cut_into_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []
    whole = AsyncZMQSocketChannel.get_msg

    async def noted(self: Any, timeout: float | None = None) -> Any:
        waits.append(timeout)
        return await whole(self, timeout=timeout)

    monkeypatch.setattr(AsyncZMQSocketChannel, "get_msg", noted)
    run(notebook(tmp_path / "a.ipynb", "import time; time.sleep(1.3)"))
    assert len(waits) > 10
    assert all(wait is not None and wait <= engine.SLICE_S for wait in waits)


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_a_message_whose_wake_up_was_lost_is_found_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    looks = []

    async def deaf_once(self: Any, timeout: float | None = None) -> Any:
        looks.append(timeout)
        if len(looks) == 1:  # the message is there, but nothing wakes the one who waits
            await asyncio.wait_for(
                asyncio.Event().wait(), timeout=None if timeout is None else 0.01
            )
        return {"content": "reply"}

    async def deaf_or_empty(self: Any, timeout: float | None = None) -> Any:
        try:
            return await deaf_once(self, timeout)
        except TimeoutError:
            raise Empty from None

    monkeypatch.setattr(AsyncZMQSocketChannel, "get_msg", deaf_or_empty)
    channel = object.__new__(engine._SlicedChannel)
    reply = asyncio.run(asyncio.wait_for(channel.get_msg(timeout=timeout), 5))
    assert reply == {"content": "reply"}
    assert len(looks) == 2


def test_a_silent_channel_is_empty_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(self: Any, timeout: float) -> Any:
        await asyncio.sleep(timeout)
        raise Empty

    monkeypatch.setattr(AsyncZMQSocketChannel, "get_msg", silent)
    monkeypatch.setattr(engine, "SLICE_S", 0.02)
    channel = object.__new__(engine._SlicedChannel)
    with pytest.raises(Empty):
        asyncio.run(asyncio.wait_for(channel.get_msg(timeout=0.1), 5))


FIGURES_IN_OUTPUT = """
import io
import ipywidgets
import PIL.Image
from IPython.display import display
shown = ipywidgets.Output()
display(shown)
for number in range(8):
    with shown:
        shown.clear_output(wait=True)
        display(PIL.Image.new("L", (300, 200), number))
        print(number)
"""


def test_figures_in_an_output_widget_never_keep_it_waiting(tmp_path: Path) -> None:
    source = notebook(tmp_path / "a.ipynb", *[FIGURES_IN_OUTPUT] * 3)
    program = (
        "import sys; from pathlib import Path;"
        "from labkit.procedures.engine import run_notebook;"
        "run_notebook(Path(sys.argv[1]), Path(sys.argv[2]), {}, folder=Path('.'),"
        " environment={}, timeout_s=60)"
    )

    told = {**os.environ, offscreen.ANSWER_VARIABLE: "none"}

    def once(number: int) -> processes.Finished:
        output = tmp_path / f"out{number}.ipynb"
        command = [sys.executable, "-c", program, str(source), str(output)]
        return processes.run(command, folder=tmp_path, environment=told, timeout_s=90)

    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(once, range(2)):
            assert (done.exit_code, done.errors) == (0, "")
    executed = nbformat.read(tmp_path / "out0.ipynb", 4)
    assert "widgets" not in executed.metadata  # widget state may hold a whole volume
    assert executed.cells[-1].outputs


def test_an_error_of_ours_comes_out_of_the_notebook_as_itself(tmp_path: Path) -> None:
    source = notebook(
        tmp_path / "a.ipynb",
        "from labkit.errors import ScanError\n"
        "raise ScanError('two slices', expected='a gap: 1 mm', where='series 3', fix='scan again')",
        "print('never')",
    )
    with pytest.raises(ScanError) as caught:
        run(source)
    assert caught.value.as_dict() == {
        "type": "ScanError",
        "found": "two slices",
        "expected": "a gap: 1 mm",
        "where": "series 3",
        "fix": "scan again",
    }


def test_any_other_error_names_notebook_and_cell_and_keeps_what_ran(tmp_path: Path) -> None:
    source = notebook(tmp_path / "a.ipynb", "print('before')", "1 / 0", "print('never')")
    with pytest.raises(ToolError, match=r"cell 3 of a\.ipynb failed: ZeroDivisionError"):
        run(source)
    kept = (tmp_path / "a.out.ipynb").read_text(encoding="utf-8")
    assert "before" in kept
    assert "ZeroDivisionError" in kept


def test_a_notebook_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    source = notebook(tmp_path / "a.ipynb", "print('before')", "import time; time.sleep(600)")
    with pytest.raises(ToolError, match=r"a\.ipynb had not ended after 4 s"):
        run(source, timeout_s=4)
    assert "before" in (tmp_path / "a.out.ipynb").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_kernel_that_dies_of_memory_is_told_from_one_that_dies_of_graphics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = notebook(tmp_path / "a.ipynb", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(ToolError, match=r"kernel of a\.ipynb died \(exit code -9\).*memory"):
        run(killed)
    crashed = notebook(tmp_path / "b.ipynb", "import os; os.kill(os.getpid(), 11)")
    monkeypatch.setattr(offscreen, "window_class", lambda: None)
    with pytest.raises(ToolError, match=r"kernel of b\.ipynb died \(exit code -11\).*libegl1"):
        run(crashed)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interrupt_stops_the_kernel_and_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    source = notebook(
        tmp_path / "a.ipynb",
        "import os, subprocess, time\n"
        "from pathlib import Path\n"
        "from labkit.processes import run_watched\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"told = f'echo {{os.getpid()}} {{child.pid}} $$ > {pids}; exec sleep 600'\n"
        # as a slicer: in a session of its own, where no signal to the kernel's reaches it
        "try:\n"
        "    run_watched(['sh', '-c', told], print, folder=Path(), environment={}, timeout_s=600)\n"
        "finally:\n"
        "    time.sleep(1)\n"
        "    Path('tidied').touch()",
    )

    def interrupted(signum: int, frame: object) -> None:
        if pids.exists() and len(pids.read_text().split()) == 3:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(source)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (tmp_path / "tidied").exists()
    for pid in map(int, pids.read_text().split()):
        give_up = time.monotonic() + 10
        while _lives(pid) and time.monotonic() < give_up:
            time.sleep(0.05)
        assert not _lives(pid)


def _lives(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")  # a zombie that nobody has collected is dead
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_name_that_the_notebook_does_not_have_is_refused(tmp_path: Path) -> None:
    source = notebook(tmp_path / "a.ipynb", "1")
    with pytest.raises(ParameterError, match=r"a\.ipynb has no parameter 'hight_mm'.*height_mm"):
        run(source, {"hight_mm": 2.0})
    assert not (tmp_path / "a.out.ipynb").exists()


@pytest.mark.parametrize("content", [None, "not a notebook", "{}"])
def test_what_is_not_a_notebook_is_refused(tmp_path: Path, content: str | None) -> None:
    source = tmp_path / "a.ipynb"
    if content is not None:
        source.write_text(content)
    with pytest.raises(InputError, match=r"a\.ipynb cannot be read"):
        run(source)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    source = notebook(tmp_path / "a.ipynb", "1")
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "out.ipynb"
    with pytest.raises(StorageError, match=r"out\.ipynb"):
        run_notebook(source, output, {}, folder=tmp_path, environment={}, timeout_s=60)


def test_nothing_that_shows_an_output_widget_is_shipped() -> None:
    root = Path(__file__).parents[1]
    files = [*(root / "labkit").rglob("*.py"), *(root / "notebooks").rglob("*.ipynb")]
    assert files
    guilty = [path.name for path in files if "widgets.Output" in path.read_text(encoding="utf-8")]
    assert guilty == []
