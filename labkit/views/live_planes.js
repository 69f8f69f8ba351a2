// Three planes of a scan, cut and drawn in the page.  The voxels stand upright: i grows
// to the patient's left, j to the back, k to the feet, and all three run to the right or
// downwards on the screen.

const IN_FLIGHT = 4; // parts asked for at a time
const TALLEST_PX = 420;
const NARROW_PX = 640;
const GAP_PX = 12; // as in the style sheet
const NOTCH_PX = 50; // of the wheel, for one plane
const OWN = "own"; // a window that has no name
const TINT = 0x55; // how much of the mask's colour lies over the grey values, of 255
const MOST_PIECES = 15000; // of a line in one plane; more take a tenth of a second and longer
const FINEST_PX = 1; // points of a stroke are not closer
const HINT =
  " Click a plane to move the crosshair; then the wheel or the arrow keys go through it." +
  " Drag with the right button for level (up, down) and width (left, right).";

export default () => {
  let scan; // one for all views of a model
  return {
    initialize({ model }) {
      scan = received(model);
    },
    render({ model, el, signal }) {
      el.append(view(model, scan, signal));
    },
  };
};

/** The voxels, filled as their parts arrive. */
function received(model) {
  const { size, parts, bytes_per_part } = model.get("scan");
  const scan = { arrived: 0, parts, size, changed: new EventTarget() };
  try {
    scan.voxels = new Int16Array(size[0] * size[1] * size[2]);
    if (model.get("tool")) scan.mask = new Uint8Array(scan.voxels.length);
  } catch {
    scan.failed = "This browser has not enough memory for the scan; the picture stays.";
    return scan;
  }
  const bytes = new Uint8Array(scan.voxels.buffer);
  const here = new Set();
  let next = 0;
  const ask = () => {
    while (here.has(next)) next += 1;
    if (next < parts) model.send({ part: next++ });
  };
  model.on("msg:custom", ({ part, box }, [data]) => {
    if (box) return redrawn(scan, box, data);
    ask(); // also after a part that another page asked for
    if (here.has(part)) return;
    here.add(part);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), part * bytes_per_part);
    scan.arrived = here.size;
    scan.changed.dispatchEvent(new Event("part"));
    if (scan.mask && scan.arrived === parts) model.send({ mask: true });
  });
  for (let n = 0; n < IN_FLIGHT; n++) ask();
  return scan;
}

/** A part of the mask as the kernel has it now: bits, i fastest, from the lowest bit on. */
function redrawn(scan, [i0, i1, j0, j1, k0, k1], data) {
  let bit = 0;
  for (let k = k0; k < k1; k++) {
    for (let j = j0; j < j1; j++) {
      let voxel = index(scan, [i0, j, k]);
      for (let i = i0; i < i1; i++, bit++) {
        scan.mask[voxel++] = (data.getUint8(bit >> 3) >> (bit & 7)) & 1;
      }
    }
  }
  scan.changed.dispatchEvent(new Event("mask"));
}

function view(model, scan, signal) {
  const facts = model.get("scan");
  const root = make("div", { className: "labkit-planes", role: "group" });
  root.ariaLabel = `${facts.title}: planes to move`;
  // JupyterLab would take arrow keys and letters for its own
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  const progress = make("progress", { max: scan.parts, value: 0 });
  const words = make("span", {}, ["Waiting for the scan: cells that still run come first. "]);
  const wait = make("p", { role: "status" }, [scan.failed ?? make("label", {}, [words, progress])]);
  root.append(wait);

  const onPart = () => {
    progress.value = scan.arrived;
    words.textContent = "The scan arrives ";
    if (scan.arrived < scan.parts) return;
    wait.replaceWith(...planes(model, scan, facts, root, signal));
  };
  scan.changed.addEventListener("part", onPart, { signal });
  if (scan.arrived) onPart();
  return root;
}

function planes(model, scan, facts, root, signal) {
  const grey = new Uint32Array(65536); // from each grey value to its pixel
  const parts = facts.planes.map((plane) => cut(plane, model, scan, facts, grey));
  const rows = make("div", { className: "rows" }, parts.map((part) => part.figure));
  const cross = make("output");
  const pointer = make("output", { ariaLive: "off" });
  const say = (ijk) => {
    const mm = lps(facts, ijk).map((along) => along.toFixed(1));
    return `LPS ${mm.join(", ")} mm, grey value ${scan.voxels[index(scan, ijk)]}${facts.unit}`;
  };
  const point = (ijk) => {
    pointer.textContent = ijk ? `Pointer: ${say(ijk)}` : "";
  };

  const onWindow = () => {
    const [low, high] = model.get("window");
    const steps = 255 / Math.max(high - low, 1e-6);
    for (let n = 0; n < 65536; n++) {
      const light = Math.min(255, Math.max(0, Math.round((n - 32768 - low) * steps)));
      grey[n] = 0xff000000 | (light * 0x010101);
    }
    for (const part of parts) part.paint();
  };
  const onMove = () => {
    cross.textContent = `Crosshair: ${say(model.get("at_ijk"))}`;
    for (const part of parts) part.move();
  };
  const onThreshold = () => parts.forEach((part) => part.line());

  let later;
  const told = (name, values) => {
    model.set(name, values);
    clearTimeout(later); // the kernel hears of it when the hand rests
    later = setTimeout(() => model.save_changes(), 300);
  };
  signal.addEventListener("abort", () => clearTimeout(later));

  for (const part of parts) part.listen(told, point, root);
  model.on("change:window", onWindow);
  model.on("change:at_ijk", onMove);
  model.on("change:threshold_hu", onThreshold);
  scan.changed.addEventListener("mask", () => parts.forEach((part) => part.tint()), { signal });

  let fitted = 0;
  const resized = new ResizeObserver(([{ contentRect: { width } }]) => {
    if (!width || width === fitted) return; // hidden, or only our own change of height
    fitted = width;
    const narrow = width < NARROW_PX;
    root.classList.toggle("narrow", narrow);
    for (const part of parts) part.fit(narrow ? width : (width - 2 * GAP_PX) / 3);
  });
  resized.observe(rows);
  signal.addEventListener("abort", () => resized.disconnect());
  onWindow();
  onMove();
  return [
    rows,
    controls(model, facts, told),
    make("p", {}, [cross, make("br"), pointer, "\u00a0"]),
    make("p", {}, [facts.note, HINT]),
  ];
}

/** One plane: its figure, and what redraws it. */
function cut(plane, model, scan, facts, grey) {
  const { across, down, through } = plane;
  const stride = [1, scan.size[0], scan.size[0] * scan.size[1]];
  const [width, height, depth] = [across, down, through].map((axis) => scan.size[axis]);
  const [wide_mm, tall_mm] = [across, down].map((axis) => scan.size[axis] * facts.spacing_mm[axis]);
  const [first, last] = facts.ends[through];
  const backwards = last === "I" ? -1 : 1; // a slider's right and up lead to the head

  const image = make("canvas", { width, height });
  const tinted = make("canvas", { width, height });
  const outline = make("canvas");
  const trail = make("canvas", { className: "trail" });
  const pen = image.getContext("2d");
  const data = pen.createImageData(width, height);
  const pixels = new Uint32Array(data.data.buffer);
  const values = new Int16Array(width * height);
  const [left, right, top, bottom] = [...facts.ends[across], ...facts.ends[down]];
  const letters = Object.entries({ left, right, top, bottom }).map(([side, letter]) =>
    make("span", { className: `letter ${side}`, ariaHidden: true }, [letter]),
  );
  const row = make("div", { className: "across" });
  const column = make("div", { className: "along" });
  row.style.background = column.style.background = facts.colours.cross;
  const bar = make("span", { className: "bar", ariaHidden: true });
  const ring = make("div", { className: "ring", hidden: true });
  const drawn_over = scan.mask ? [tinted, outline, trail] : [outline];
  const layers = [image, ...drawn_over, row, column, ...letters, bar, ring];
  const stage = make("div", { className: "stage", role: "img" }, layers);
  const caption = make("figcaption");
  const [min, max] = backwards < 0 ? [1 - depth, 0] : [0, depth - 1];
  const slider = make("input", { type: "range", min, max, step: 1 });
  const ends = backwards < 0 ? [last, first] : [first, last];
  const words = [`${plane.name}, ${ends[0]}`, slider, ends[1]];
  const slide = make("label", { className: "slide" }, words);
  const figure = make("figure", {}, [caption, make("div", { className: "box" }, [stage]), slide]);
  let shown = -1;

  const paint = () => {
    if (shown < 0) return;
    let n = 0;
    for (let y = 0; y < height; y++) {
      let voxel = shown * stride[through] + y * stride[down];
      for (let x = 0; x < width; x++, voxel += stride[across], n++) {
        values[n] = scan.voxels[voxel];
        pixels[n] = grey[values[n] + 32768];
      }
    }
    pen.putImageData(data, 0, 0);
  };
  const over = tinted.getContext("2d");
  const colour = over.createImageData(width, height);
  const tints = new Uint32Array(colour.data.buffer);
  const tint = () => {
    if (!scan.mask || shown < 0) return;
    const [red, green, blue] = facts.colours.mask;
    const inside = ((TINT << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    let n = 0;
    for (let y = 0; y < height; y++) {
      let voxel = shown * stride[through] + y * stride[down];
      for (let x = 0; x < width; x++, voxel += stride[across]) {
        tints[n++] = scan.mask[voxel] && inside;
      }
    }
    over.putImageData(colour, 0, 0);
    trail.getContext("2d").clearRect(0, 0, trail.width, trail.height);
  };
  const line = () => {
    const brush = outline.getContext("2d");
    brush.clearRect(0, 0, outline.width, outline.height);
    const level = model.get("threshold_hu");
    if (level === null) return;
    brush.strokeStyle = facts.colours.line;
    brush.lineWidth = 1.5 * devicePixelRatio;
    brush.beginPath();
    const [x, y] = [outline.width / width, outline.height / height];
    if (contour(values, width, height, level, brush, x, y)) return brush.stroke();
    // through noise the line is everywhere: the pixels at it show the same, and at once
    brush.imageSmoothingEnabled = false;
    const pixels = crossed(values, width, height, level, facts.colours.line);
    brush.drawImage(pixels, 0, 0, outline.width, outline.height);
  };
  const move = () => {
    const at = model.get("at_ijk");
    row.style.top = `${(100 * (at[down] + 0.5)) / height}%`;
    column.style.left = `${(100 * (at[across] + 0.5)) / width}%`;
    if (at[through] === shown) return;
    shown = at[through];
    paint();
    tint();
    line();
    label();
  };
  const label = () => {
    const mm = lps(facts, model.get("at_ijk"))[through];
    const place = `${facts.lps[through][+(mm >= 0)]} ${Math.abs(mm).toFixed(1)} mm`;
    caption.textContent = `${plane.name}, at ${place}`;
    const size = `${wide_mm.toFixed(0)} mm across, ${tall_mm.toFixed(0)} mm down`;
    const edges = `left edge ${left}, right edge ${right}, top edge ${top}, bottom edge ${bottom}`;
    stage.ariaLabel = `${plane.name} plane at ${place}; ${edges}; ${size}`;
    slider.value = backwards * shown;
    slider.ariaValueText = `${place}, plane ${shown + 1} of ${depth}`;
  };
  const fit = (room_px) => {
    const scale = Math.min(room_px / wide_mm, TALLEST_PX / tall_mm);
    stage.style.width = `${wide_mm * scale}px`;
    stage.style.height = `${tall_mm * scale}px`;
    for (const canvas of [outline, trail]) {
      canvas.width = Math.max(1, Math.round(wide_mm * scale * devicePixelRatio));
      canvas.height = Math.max(1, Math.round(tall_mm * scale * devicePixelRatio));
    }
    const length_mm = round_length(wide_mm / 4);
    bar.textContent = `${length_mm} mm`;
    bar.style.width = `${length_mm * scale}px`;
    line();
  };
  const listen = (tell, point, root) => {
    const go = (n) => {
      const at = [...model.get("at_ijk")];
      at[through] = Math.min(depth - 1, Math.max(0, n));
      tell("at_ijk", at);
    };
    const under = (event) => {
      const box = stage.getBoundingClientRect();
      const ijk = [...model.get("at_ijk")];
      ijk[across] = inside(((event.clientX - box.left) / box.width) * width, width);
      ijk[down] = inside(((event.clientY - box.top) / box.height) * height, height);
      return ijk;
    };
    let drawn = null; // the stroke under way, in voxels of this plane
    const drawing = () => ["add", "erase"].includes(model.get("tool"));
    const exactly = (event) => {
      const box = stage.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width - 0.5;
      const y = ((event.clientY - box.top) / box.height) * height - 0.5;
      return [x, y];
    };
    const drag = (event) => {
      const [x, y] = exactly(event);
      const [px, py] = [trail.width / width, trail.height / height];
      const [lastX, lastY] = drawn.at(-1) ?? [x + 1e9, y];
      const far = Math.hypot((x - lastX) * px, (y - lastY) * py) / devicePixelRatio;
      if (far < FINEST_PX) return;
      const brush = trail.getContext("2d");
      brush.strokeStyle = model.get("tool") === "add" ? facts.colours.cross : facts.colours.line;
      brush.lineWidth = (2 * model.get("radius_mm") * trail.width) / wide_mm;
      brush.lineCap = "round";
      brush.beginPath();
      const start = drawn.at(-1) ?? [x, y];
      brush.moveTo((start[0] + 0.5) * px, (start[1] + 0.5) * py);
      brush.lineTo((x + 0.5) * px, (y + 0.5) * py);
      brush.stroke();
      drawn.push([x, y]);
    };
    const end = () => {
      if (!drawn) return;
      const points_lps_mm = drawn.map(([x, y]) => {
        const ijk = [...model.get("at_ijk")];
        [ijk[across], ijk[down], ijk[through]] = [x, y, shown];
        return lps(facts, ijk);
      });
      drawn = null;
      const [mode, radius_mm, brush] = ["tool", "radius_mm", "brush"].map((name) => model.get(name));
      model.send({ stroke: { mode, plane: plane.name, brush, radius_mm, points_lps_mm } });
    };
    const encircle = (event) => {
      ring.hidden = !event || !drawing();
      if (ring.hidden) return;
      const box = stage.getBoundingClientRect();
      const size_px = (2 * model.get("radius_mm") * box.width) / wide_mm;
      ring.style.width = ring.style.height = `${size_px}px`;
      ring.style.left = `${event.clientX - box.left - size_px / 2}px`;
      ring.style.top = `${event.clientY - box.top - size_px / 2}px`;
    };
    let from; // where the right button went down, and the window then
    slider.addEventListener("input", () => go(backwards * slider.value));
    stage.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      slider.focus({ preventScroll: true }); // for the arrow keys
      stage.setPointerCapture(event.pointerId);
      if (event.button === 0 && drawing()) {
        drawn = [];
        drag(event);
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
      encircle(event);
      if (drawn) drag(event);
      else if (event.buttons & 1) tell("at_ijk", under(event));
      if (event.buttons & 2 && from) {
        const [low, high] = from.window;
        const span = high - low;
        const width = Math.max(1, span * (1 + (event.clientX - from.x) / 200));
        const level = (low + high) / 2 + (span * (event.clientY - from.y)) / 400;
        tell("window", around(level, width));
      }
    });
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
    stage.addEventListener("pointerleave", () => {
      point(null);
      encircle(null);
    });
    stage.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      event.stopPropagation();
    });
    let turned = 0;
    const onWheel = (event) => {
      if (event.ctrlKey || !root.contains(document.activeElement)) return; // the page scrolls
      event.preventDefault();
      const by = event.deltaMode ? Math.sign(event.deltaY) * NOTCH_PX : event.deltaY;
      turned += Math.max(-NOTCH_PX, Math.min(NOTCH_PX, by));
      if (Math.abs(turned) < NOTCH_PX) return;
      go(model.get("at_ijk")[through] + Math.sign(turned));
      turned = 0;
    };
    stage.addEventListener("wheel", onWheel, { passive: false });
  };
  return { figure, paint, tint, line, move, fit, listen };
}

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

/**
 * The line where values cross the level, through pixel centres: marching squares.  False where
 * it would have more than MOST_PIECES: there it runs through noise.
 */
function contour(values, width, height, level, path, scaleX, scaleY) {
  const ends = new Float32Array(8);
  let end = 0;
  let pieces = 0;
  const meet = (x, y) => {
    ends[end++] = (x + 0.5) * scaleX;
    ends[end++] = (y + 0.5) * scaleY;
  };
  for (let y = 0; y + 1 < height; y++) {
    const row = y * width;
    let left = (values[row] >= level) | ((values[row + width] >= level) << 3);
    for (let x = 0, n = row; x + 1 < width; x++, n++) {
      const right = ((values[n + 1] >= level) << 1) | ((values[n + width + 1] >= level) << 2);
      const kind = left | right;
      left = ((right >> 1) & 1) | ((right & 4) << 1);
      if (kind === 0 || kind === 15) continue;
      const a = values[n], b = values[n + 1], c = values[n + width + 1], d = values[n + width];
      end = 0;
      // at a saddle the middle says which corners belong together
      const last_first = (kind === 5 || kind === 10) && (a + b + c + d) / 4 >= level !== a >= level;
      if (last_first) meet(x, y + (level - a) / (d - a));
      if (!(kind & 1) !== !(kind & 2)) meet(x + (level - a) / (b - a), y);
      if (!(kind & 2) !== !(kind & 4)) meet(x + 1, y + (level - b) / (c - b));
      if (!(kind & 4) !== !(kind & 8)) meet(x + (level - d) / (c - d), y + 1);
      if (!last_first && !(kind & 8) !== !(kind & 1)) meet(x, y + (level - a) / (d - a));
      for (let p = 0; p < end; p += 4) {
        path.moveTo(ends[p], ends[p + 1]);
        path.lineTo(ends[p + 2], ends[p + 3]);
      }
      pieces += end >> 2;
      if (pieces > MOST_PIECES) return false;
    }
  }
  return true;
}

/** The pixels next to which values cross the level, in a picture of the plane's own size. */
function crossed(values, width, height, level, colour) {
  const picture = make("canvas", { width, height });
  const pen = picture.getContext("2d");
  const data = pen.createImageData(width, height);
  for (let y = 0; y + 1 < height; y++) {
    for (let x = 0, n = y * width; x + 1 < width; x++, n++) {
      const above = values[n] >= level;
      if (above !== values[n + 1] >= level || above !== values[n + width] >= level) {
        data.data[4 * n + 3] = 255;
      }
    }
  }
  pen.putImageData(data, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = colour;
  pen.fillRect(0, 0, width, height);
  return picture;
}

const index = ({ size }, [i, j, k]) => i + size[0] * (j + size[1] * k);
const lps = ({ ijk_to_lps }, [i, j, k]) =>
  ijk_to_lps.map(([x, y, z, origin]) => x * i + y * j + z * k + origin);
const inside = (position, size) => Math.min(size - 1, Math.max(0, Math.floor(position)));
const around = (level, width) => [level - width / 2, level + width / 2];

/** The greatest of 1, 2, 5, 10 … that is not longer. */
function round_length(most_mm) {
  const power = 10 ** Math.floor(Math.log10(most_mm));
  return power * [5, 2, 1].find((step) => step * power <= most_mm);
}

function make(tag, settings = {}, children = []) {
  const element = Object.assign(document.createElement(tag), settings);
  element.append(...children);
  return element;
}
