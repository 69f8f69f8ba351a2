"""How quickly the planes answer in a real JupyterLab in a real browser; ipympl beside them.

``python benchmarks/browser.py [--alone] [--images 300] [--moves 120] [--peer-moves 120]``: writes
``benchmarks/data/browser.csv``, prints it, and whether each limit is met.  A CT of
512 × 512 × 300 is made (``scan.py``); JupyterLab runs as in the tests, in Debian's Chromium.

A hand is imitated by real mouse events: the slider is dragged in steps, each step after the
answer to the last.  The time of a move runs in the page, from the event to the end of the first
frame in which a canvas has the line of the threshold at other pixels than before.  ipympl, in an
environment of its own, gets the same scan, and a figure with ``imshow`` and ``contour`` that
ipywidgets sliders drive, as one would write it: one plane where the planes here are three.

``threshold`` goes over the values of bone, 150 to 900 HU; ``threshold, anywhere`` over the whole
slider, where the line runs through the noise of air and of soft tissue as well.

The table comes from a machine with little other work (load below 1 on two cores).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from hands import HOOKS, Hand
from peers import Row, environment, write_table
from playwright.sync_api import Page, sync_playwright
from scan import SIZE, slice_hu

from labkit.errors import ToolMissingError
from tests.browser.conftest import BROWSER, FLAGS
from tests.browser.lab import Server, running_lab

MIB = 2**20
FIRST_PICTURE_S, MEDIAN_MS, P95_MS = 5.0, 10.0, 30.0
KERNEL_OF_VOLUME, PAGE_MIB = 3.0, 1024.0
"""Pass: the project's own limits."""

IPYMPL = "0.10.0"

BEFORE = """
import numpy as np
from pathlib import Path
def memory_kib(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
"""
READ = """
before_kib = memory_kib("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
voxels = np.load({path!r})
print("the scan is read")
"""
OURS = [
    BEFORE
    + """
from types import SimpleNamespace
from labkit import views
from labkit.volume import Volume
stage, origin = SimpleNamespace(headless=False), np.array([-128.0, -128.0, 0.0])
small = Volume(np.zeros((8, 8, 8), np.int16), origin, np.ones(3), np.eye(3))
views.viewer(stage, small, title="Warm", threshold_hu=-300);
""",
    READ + "volume = Volume(voxels, origin, np.array([0.5, 0.5, 0.8]), np.eye(3))",
    'views.viewer(stage, volume, title="CT", threshold_hu=300)',
]
THEIRS = [
    BEFORE
    + """
%matplotlib widget
import ipywidgets
import matplotlib.pyplot as plt
""",
    READ,
    """
figure, axes = plt.subplots(figsize=(4.2, 4.2))
image = axes.imshow(voxels[150], cmap="gray", vmin=-200, vmax=1000)
look = {"colors": "#d55e00", "linewidths": 1.2, "linestyles": "solid"}
lines = axes.contour(voxels[150], [300], **look)
wide = {"layout": {"width": "600px"}}
threshold = ipywidgets.IntSlider(300, -1024, 1100, description="threshold", **wide)
plane = ipywidgets.IntSlider(150, 0, 299, description="plane", **wide)
def draw(_):
    global lines
    image.set_data(voxels[plane.value])
    lines.remove()
    lines = axes.contour(voxels[plane.value], [threshold.value], **look)
    figure.canvas.draw_idle()
threshold.observe(draw, "value")
plane.observe(draw, "value")
ipywidgets.VBox([threshold, plane])
""",
]
MEMORY = """
print("KIB", before_kib, memory_kib("VmRSS"), memory_kib("VmHWM"))
"""


@dataclass(frozen=True)
class Program:
    """What is measured, and where its parts are in the page.

    Parameters
    ----------
    python : runs JupyterLab and the kernel; None is this one.
    ready : what is there when the picture can be moved.
    threshold, plane : the two sliders.
    """

    name: str
    cells: Sequence[str]
    python: Path | None
    ready: str
    threshold: str
    plane: str


LABKIT = Program(
    "labkit",
    OURS,
    None,
    "[aria-label='CT: planes to move'] .stage",
    "[aria-label='CT: planes to move'] .controls input[type=range]",
    "[aria-label='CT: planes to move'] figure >> nth=0 >> input[type=range]",
)


def ipympl() -> Program:
    """ipympl in an environment of its own, with the JupyterLab and matplotlib used here."""
    same = ("jupyterlab", "ipywidgets", "ipykernel", "matplotlib", "numpy")
    python = environment("ipympl", {"ipympl": IPYMPL, **{name: version(name) for name in same}})
    sliders = ".widget-hslider"
    return Program(
        "ipympl",
        THEIRS,
        python,
        ".jupyter-matplotlib canvas",
        f"{sliders} >> nth=0 >> .noUi-target",
        f"{sliders} >> nth=1 >> .noUi-target",
    )


@contextmanager
def browser_page(asked: list[str], profile: Path) -> Iterator[Page]:
    """A page in Debian's Chromium; every address that it asks for is noted."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=BROWSER,
            headless=True,
            args=FLAGS,
            viewport={"width": 1300, "height": 1400},
        )
        context.set_default_timeout(120_000)
        context.on("request", lambda request: asked.append(request.url))
        page = context.pages[0]
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.add_init_script(HOOKS)
        try:
            yield page
        finally:
            context.close()


def renderer_mib() -> float:
    """What the browser's greatest page process has in memory, MiB."""
    sizes = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in child.cmdline():
                sizes.append(child.memory_info().rss / MIB)
        except psutil.NoSuchProcess:
            continue
    return max(sizes)


def run_cell(page: Page, number: int) -> None:
    """Run one cell and wait for its end."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    done = cell.locator(".jp-InputPrompt").filter(has_text="]:").filter(has_not_text="[*]")
    done.filter(has_not_text="[ ]").wait_for()


def measured(program: Program, volume_path: Path, moves: int, room: Path) -> list[Row]:
    """The rows of one program."""
    (place := room / program.name).mkdir()
    cells = [cell.replace("{path!r}", repr(str(volume_path))) for cell in program.cells]
    with (
        running_lab([*cells, MEMORY], place, python=program.python) as server,
        browser_page(server.asked, place / "profile") as page,
    ):
        return rows_of(program, server, page, moves, volume_path)


def rows_of(
    program: Program, server: Server, page: Page, moves: int, volume_path: Path
) -> list[Row]:
    """Everything that is measured, in the order in which a person meets it."""
    page.goto(server.url(""))
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    run_cell(page, 0)
    run_cell(page, 1)
    page.evaluate("window.labkitShown = false")
    began = time.perf_counter()
    last = len(program.cells) - 1
    page.locator(".jp-CodeCell").nth(last).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    found: dict[str, float] = {}
    if program.name == "labkit":
        page.locator(".jp-CodeCell").nth(last).locator(".jp-RenderedImage img").wait_for()
        found["still_s"] = time.perf_counter() - began
    page.locator(program.ready).first.wait_for()
    page.wait_for_function("window.labkitShown")
    found["first_s"] = time.perf_counter() - began
    page.wait_for_timeout(1500)
    rows = []
    hand = Hand(page, moves)
    for what, slider, span in (
        ("threshold", program.threshold, BONE),
        ("plane", program.plane, None),  # while the threshold is still one of bone
        ("threshold, anywhere", program.threshold, None),
    ):
        times_ms = hand.drags(page.locator(slider).first, span)
        if len(times_ms) < moves / 2:  # the hand or the hooks missed them: not a time
            print(f"{program.name}, {what}: not measured, {len(times_ms)} of {moves} answers seen")
            continue
        rows.append(
            {
                "program": program.name,
                "what": what,
                "moves": str(len(times_ms)),
                "median": f"{statistics.median(times_ms):.1f}",
                "p95": f"{np.percentile(times_ms, 95):.1f}",
                "worst": f"{max(times_ms):.1f}",
                "unit": "ms",
            }
        )
    run_cell(page, last + 1)
    told = page.locator(".jp-CodeCell").nth(last + 1).locator(".jp-OutputArea-output").inner_text()
    before, now, peak = (int(kib) / 1024 for kib in told.split()[1:4])
    volume_mib = volume_path.stat().st_size / MIB
    metrics = metrics_of(page)
    # ipympl shows each picture by an address within the page: nothing is asked for there; but
    # JupyterLab fetches its icon of a busy kernel at each move that the kernel answers
    asked = [urlsplit(url) for url in server.asked]
    asked = [url for url in asked if url.scheme in ("http", "https", "ws", "wss")]
    outside = [url for url in asked if url.hostname != "127.0.0.1"]
    single = {
        "first still picture": (found.get("still_s"), "s"),
        "first picture to move": (found["first_s"], "s"),
        "kernel, peak of the volume": ((peak - before) / volume_mib, "×"),
        "kernel, afterwards, of the volume": ((now - before) / volume_mib, "×"),
        "page process": (renderer_mib(), "MiB"),
        "page, JavaScript heap": (metrics["JSHeapUsedSize"] / MIB, "MiB"),
        "addresses asked for": (len(asked), ""),
        "addresses outside this machine": (len(outside), ""),
    }
    blank = {"program": program.name, "moves": "", "p95": "", "worst": ""}
    rows += [
        {**blank, "what": what, "median": f"{value:.4g}", "unit": unit}
        for what, (value, unit) in single.items()
        if value is not None
    ]
    rows = [{name: row[name] for name in COLUMNS} for row in rows]
    for row in rows:
        print(*row.values(), flush=True)
    return rows


COLUMNS = ("program", "what", "moves", "median", "p95", "worst", "unit")
BONE = (150, 900)
"""Where the hand goes on the slider of the threshold, HU."""


def metrics_of(page: Page) -> dict[str, float]:
    """Chromium's own measures of the page."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    told: dict[str, Any] = session.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in told["metrics"]}


def verdicts(rows: Sequence[Row]) -> list[str]:
    """One line for each limit."""
    ours = {row["what"]: row for row in rows if row["program"] == "labkit"}
    theirs = {row["what"]: row for row in rows if row["program"] == "ipympl"}
    limits = [
        ("first still picture", "median", FIRST_PICTURE_S),
        ("first picture to move", "median", FIRST_PICTURE_S),
        ("threshold", "median", MEDIAN_MS),
        ("threshold", "p95", P95_MS),
        ("plane", "median", MEDIAN_MS),
        ("plane", "p95", P95_MS),
        ("kernel, peak of the volume", "median", KERNEL_OF_VOLUME),
        ("page process", "median", PAGE_MIB),
        ("addresses outside this machine", "median", 0.0),
    ]
    said = []
    for what, column, limit in limits:
        value, unit = float(ours[what][column]), ours[what]["unit"]
        word = f" ({column})" if ours[what]["moves"] else ""
        beside = f"; ipympl {theirs[what][column]}" if what in theirs else ""
        met = "met" if value <= limit else "NOT MET"
        said.append(f"{what}{word}: {value:g} {unit}, limit {limit:g}{beside}: {met}")
    return said


def made_scan(path: Path, images: int) -> None:
    """The CT as one file that a kernel reads at once."""
    np.save(path, np.stack([slice_hu(k) for k in range(images)]).reshape(images, SIZE, SIZE))


def main() -> None:
    """Make the scan, measure, write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alone", action="store_true", help="without ipympl")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--moves", type=int, default=120)
    parser.add_argument("--peer-moves", type=int, default=120)
    asked = parser.parse_args()
    programs = [LABKIT]
    if not asked.alone:
        try:
            programs.append(ipympl())
        except ToolMissingError as error:
            parser.exit(error.exit_code, f"{error}\n")
    with tempfile.TemporaryDirectory() as room:
        made_scan(Path(room) / "ct.npy", asked.images)
        rows = [
            row
            for program in programs
            for row in measured(
                program,
                Path(room) / "ct.npy",
                asked.moves if program is LABKIT else asked.peer_moves,
                Path(room),
            )
        ]
    write_table("browser", rows, lambda _: True)
    print("\n" + "\n".join(verdicts(rows)))


if __name__ == "__main__":
    main()
