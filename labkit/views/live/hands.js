// What the hand does alike in every live view: keys and wheel go from one to the next.

const NOTCH_PX = 50; // of the wheel, for one
const REST_MS = 300;
const STEPS = {
  ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1,
  PageUp: 10, PageDown: -10,
  Home: -Infinity, End: Infinity,
};
const KEYS =
  "wheel and arrow keys go on by one, Page Up and Page Down by ten, Home and End to the ends.";

/** The hand at a slider: `go` gets the number that it wants. */
function slides(slider, go) {
  slider.addEventListener("input", () => go(Number(slider.value)));
  slider.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault(); // how far Page Up goes is each browser's own
    const [least, most] = [Number(slider.min), Number(slider.max)];
    go(Math.min(most, Math.max(least, Number(slider.value) + step)));
  });
}

/** The wheel over a picture, once the hand is in its view: else the page scrolls. */
function wheels(stage, root, by) {
  let turned = 0;
  const onWheel = (event) => {
    if (event.ctrlKey || !root.contains(document.activeElement)) return;
    event.preventDefault();
    const turn = event.deltaMode ? Math.sign(event.deltaY) * NOTCH_PX : event.deltaY;
    turned += Math.max(-NOTCH_PX, Math.min(NOTCH_PX, turn));
    if (Math.abs(turned) < NOTCH_PX) return;
    by(Math.sign(turned));
    turned = 0;
  };
  stage.addEventListener("wheel", onWheel, { passive: false });
}

/** Sets a value of the model at once; the kernel hears of it when the hand rests. */
function telling(model, signal) {
  let later;
  signal.addEventListener("abort", () => clearTimeout(later));
  return (name, value) => {
    model.set(name, value);
    clearTimeout(later);
    later = setTimeout(() => model.save_changes(), REST_MS);
  };
}
