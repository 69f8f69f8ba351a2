"""The hand of the benchmark in a real browser: it counts new lines only, at any slider."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import opened_page
from tests.browser.lab import Server
from tests.conftest import PROJECT

LATE_MS = 60
# A slider of the browser's own, and one that follows its handle only, as those of ipywidgets do.
# Both draw at once what looks as before, and the line later.
PAGE = """
<style>.track { background: #ccc; height: 20px; position: relative; width: 400px; }
.track > * { background: #00f; height: 20px; left: 0; position: absolute; width: 20px; }</style>
<p><input type="range" min="0" max="100" value="50" style="width: 400px"></p>
<div class="track"><div role="slider" aria-valuemin="0" aria-valuemax="100"></div></div>
<canvas width="500" height="50"></canvas>
<script>
const pen = document.querySelector("canvas").getContext("2d");
const draw = (x) => {
  pen.drawImage(document.createElement("canvas"), 0, 0);
  setTimeout(() => {
    pen.clearRect(0, 0, 500, 50);
    pen.strokeStyle = "#d55e00";
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, 50); pen.stroke();
  }, %d);
};
const range = document.querySelector("input");
range.addEventListener("input", () => draw(4 * Number(range.value) + 20));
const track = document.querySelector(".track"), handle = track.firstElementChild;
handle.addEventListener("pointerdown", (down) => {
  handle.setPointerCapture(down.pointerId);
  handle.onpointermove = (event) => {
    const x = Math.round(event.clientX - track.getBoundingClientRect().left);
    handle.style.left = `${x - 10}px`;
    draw(x);
  };
});
</script>
"""


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return import_module("hands")


@pytest.fixture
def sliders(hands: ModuleType, tmp_path: Path) -> Iterator[Page]:
    with opened_page(Server(0, tmp_path), tmp_path / "profile") as page:
        page.set_content(PAGE % LATE_MS)
        page.add_script_tag(content=hands.HOOKS)
        yield page


@pytest.mark.parametrize("slider", ["input", ".track"])
def test_each_move_is_answered_by_the_line_not_by_the_first_drawing(
    hands: ModuleType, sliders: Page, slider: str
) -> None:
    times_ms = hands.Hand(sliders, 12).drags(sliders.locator(slider), None)
    assert len(times_ms) == 12
    assert min(times_ms) >= LATE_MS - 2  # both clocks are rounded
