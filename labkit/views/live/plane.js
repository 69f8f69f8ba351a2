// One plane of a scan: its figure, and what redraws it.

const TALLEST_PX = 420;
const TINT = 0x55; // how much of the mask's colour lies over the grey values, of 255

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
  const letters = at_edges({ left, right, top, bottom }, "letter");
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

  /** Where an event is, in pixels of the plane from its top left corner. */
  const spot = (event) => {
    const box = stage.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    const y = ((event.clientY - box.top) / box.height) * height;
    return [x, y];
  };
  /** The voxel of a place in the plane, whole or between the voxels. */
  const voxel = (x, y) => {
    const ijk = [...model.get("at_ijk")];
    [ijk[across], ijk[down]] = [x, y];
    return ijk;
  };
  const size = { width, height, depth, wide_mm };
  const parts = { figure, stage, slider, trail, ring };
  return { plane, backwards, ...size, ...parts, spot, voxel, paint, tint, line, move, fit };
}
