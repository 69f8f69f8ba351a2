// Which grey values are shown, and where the line is: the controls below the planes.

const OWN = "own"; // a window that has no name

/** Presets, level, width and threshold: all that the mouse does, for the keyboard too. */
function controls(model, facts, tell) {
  const names = [...Object.keys(facts.windows), OWN];
  const preset = make("select", {}, names.map((name) => make("option", {}, [name])));
  const level = make("input", { type: "number", step: 10 });
  const width = make("input", { type: "number", step: 10, min: 1 });
  const [low, high] = facts.range;
  const line = make("input", { type: "checkbox" });
  const slider = make("input", { type: "range", min: low, max: high, step: 1 });
  const number = make("input", { type: "number", step: 1, value: slider.value });
  number.ariaLabel = "threshold, as a number";

  const onWindow = () => {
    const [from, to] = model.get("window");
    const same = (name) => facts.windows[name][0] === from && facts.windows[name][1] === to;
    preset.value = Object.keys(facts.windows).find(same) ?? OWN;
    level.value = Math.round((from + to) / 2);
    width.value = Math.round(to - from);
  };
  const onThreshold = () => {
    const value = model.get("threshold_hu");
    line.checked = value !== null;
    if (value !== null) slider.value = number.value = value;
  };
  preset.addEventListener("change", () => {
    if (preset.value !== OWN) tell("window", facts.windows[preset.value]);
  });
  for (const field of [level, width]) {
    field.addEventListener("change", () => {
      if (level.value && width.value > 0) tell("window", around(+level.value, +width.value));
    });
  }
  line.addEventListener("change", () => {
    tell("threshold_hu", line.checked ? +(number.value || slider.value) : null);
  });
  for (const field of [slider, number]) {
    field.addEventListener("input", () => field.value && tell("threshold_hu", +field.value));
  }
  model.on("change:window", onWindow);
  model.on("change:threshold_hu", onThreshold);
  onWindow();
  onThreshold();
  const unit = facts.unit.trim() && ` (${facts.unit.trim()})`;
  return make("div", { className: "controls" }, [
    make("label", {}, ["window", preset]),
    make("label", {}, [`level${unit}`, level]),
    make("label", {}, [`width${unit}`, width]),
    make("label", {}, [line, "line at a threshold"]),
    make("label", {}, [`threshold${unit}`, slider]),
    number,
  ]);
}

const around = (level, width) => [level - width / 2, level + width / 2];
