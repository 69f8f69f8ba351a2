// The hand over a plane: it moves the crosshair, the window and the brush, or places a seed.

function listen(part, model, facts, tell, point, root) {
  const { plane: { through }, stage, slider, width, height, depth, backwards } = part;
  const tool = brush(part, model, facts);
  const go = (n) => {
    const at = [...model.get("at_ijk")];
    at[through] = Math.min(depth - 1, Math.max(0, n));
    tell("at_ijk", at);
  };
  const under = (event) => {
    const [x, y] = part.spot(event);
    return part.voxel(inside(x, width), inside(y, height));
  };
  let from; // where the right button went down, and the window then
  slides(slider, (n) => go(backwards * n));
  wheels(stage, root, (by) => go(model.get("at_ijk")[through] + by));
  stage.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    slider.focus({ preventScroll: true }); // for the keys
    stage.setPointerCapture(event.pointerId);
    if (event.button === 0 && tool.held()) {
      tool.begin(event);
    } else if (event.button === 0) {
      tell("at_ijk", under(event));
      if (model.get("tool") === "seed") model.send({ seed: lps(facts, under(event)) });
    }
    if (event.button === 2) {
      from = { x: event.clientX, y: event.clientY, window: model.get("window") };
    }
  });
  stage.addEventListener("pointermove", (event) => {
    point(under(event));
    tool.encircle(event);
    if (tool.drawing()) tool.drag(event);
    else if (event.buttons & 1) tell("at_ijk", under(event));
    if (event.buttons & 2 && from) {
      const [low, high] = from.window;
      const span = high - low;
      const wide = Math.max(1, span * (1 + (event.clientX - from.x) / 200));
      const level = (low + high) / 2 + (span * (event.clientY - from.y)) / 400;
      tell("window", around(level, wide));
    }
  });
  stage.addEventListener("pointerup", tool.end);
  stage.addEventListener("pointercancel", tool.end);
  stage.addEventListener("pointerleave", () => {
    point(null);
    tool.encircle(null);
  });
  stage.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    event.stopPropagation();
  });
}
