"""A hand at a slider in a page: real mouse events, and when the page had answered each."""

from contextlib import suppress

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as Late

HOOKS = """
{
  // the end of a frame: a message that is posted while it is made comes after its painting
  const ended = (then) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = then;
    channel.port2.postMessage(0);
  });
  // where the line, vermilion in both programs, is on a canvas, as one number; 0 is nowhere
  const line = (canvas) => {
    if (!canvas.width || !canvas.height) return 0;
    const { data } = read.call(canvas.getContext("2d"), 0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let n = 0; n < data.length; n += 4) {
      const near = data[n] > 150 && data[n] - data[n + 2] > 90 && data[n + 3] > 90;
      if (near) sum = (Math.imul(sum, 31) + n) | 0;
    }
    return sum;
  };
  const read = CanvasRenderingContext2D.prototype.getImageData;
  const known = new Map(); // of each canvas the line that was seen last
  const drawn = new Set(); // since then
  const moved = () => {
    let news = false;
    for (const canvas of drawn) {
      const now = line(canvas);
      news ||= canvas.isConnected && now !== (known.get(canvas) ?? 0);
      known.set(canvas, now);
    }
    drawn.clear();
    return news;
  };
  let began = null;
  let awaits = false;
  let waits = false;
  window.labkitShown = false;
  window.labkitAnswers = [];
  window.addEventListener("pointermove", (event) => {
    if (!(event.buttons & 1) || !awaits) return;
    began = performance.now();
    awaits = false;
  }, { capture: true });
  const noted = (canvas) => {
    drawn.add(canvas);
    if (waits) return;
    waits = true;
    ended(() => {
      const now = performance.now();
      waits = false;
      // looked at when the time is taken already: the look costs the move nothing
      if (!moved() || awaits) return; // awaits: it came late and belongs to no move
      window.labkitShown = true;
      if (began === null) return;
      window.labkitAnswers.push(now - began);
      began = null;
    });
  };
  for (const name of ["stroke", "drawImage", "putImageData"]) {
    const plain = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...words) {
      const done = plain.apply(this, words);
      if (this.canvas.isConnected) noted(this.canvas);
      return done;
    };
  }
  window.labkitNext = () => {
    moved();
    began = null;
    awaits = true;
    return window.labkitAnswers.length;
  };
}
"""
RANGE = """slider => {
  const noUi = slider.querySelector("[role=slider]");
  const end = (name) => noUi ? noUi.getAttribute(`aria-value${name}`) : slider[name];
  return ["min", "max"].map((name) => Number(end(name)));
}"""
MOST_MS = 5000
MOST_LOST = 4
"""Moves one after the other without an answer, after which the hand gives up."""
EDGE = 0.08
"""Of a slider's length: the hand keeps away from its ends."""


class Hand:
    """Drags sliders to and fro, so many moves each; the next move comes after the answer.

    Parameters
    ----------
    page : has `HOOKS` in it.
    """

    def __init__(self, page: Page, moves: int) -> None:
        self.page, self.moves = page, moves

    def drags(self, slider: Locator, values: tuple[float, float] | None) -> list[float]:
        """Milliseconds from each move to the end of the frame that shows another line for it.

        Parameters
        ----------
        values : between which the hand goes to and fro; None is everywhere.
        """
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box is not None
        span = EDGE, 1 - EDGE
        if values is not None:
            first, last = slider.evaluate(RANGE)
            span = tuple((value - first) / (last - first) for value in values)
        low, high = (box["x"] + share * box["width"] for share in span)
        y = box["y"] + box["height"] / 2
        self.page.evaluate("window.labkitAnswers.length = 0")
        x, step = low, max(2.0, (high - low) / 40)
        # a slider of ipywidgets follows only a hand that took it by its handle
        handle = slider.locator("[role=slider]")
        held = handle.bounding_box() if handle.count() else None
        self.page.mouse.move(held["x"] + held["width"] / 2 if held else x, y)
        self.page.mouse.down()
        self.page.mouse.move(x, y, steps=5)
        self.page.wait_for_timeout(1500)
        lost = 0
        for _ in range(self.moves):
            if lost == MOST_LOST:
                break
            if not low <= x + step <= high:
                step = -step
            x += step
            before = self.page.evaluate("window.labkitNext()")
            self.page.mouse.move(x, y)
            # a move without an answer does not count: "moves" says how many had one
            lost += 1
            with suppress(Late):
                self.page.wait_for_function(
                    f"window.labkitAnswers.length > {before}", timeout=MOST_MS, polling=20
                )
                lost = 0
            self.page.wait_for_timeout(30)
        self.page.mouse.up()
        self.page.wait_for_timeout(600)
        times: list[float] = self.page.evaluate("window.labkitAnswers")
        return times
