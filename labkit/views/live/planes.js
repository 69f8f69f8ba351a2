// Three planes of a scan, cut and drawn in the page.

const NARROW_PX = 640;
const GAP_PX = 12; // as in the style sheet
const HINT =
  ` Click a plane to move the crosshair; then ${KEYS}` +
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

function view(model, scan, signal) {
  const facts = model.get("scan");
  const root = group("labkit-planes", `${facts.title}: planes to move`);
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

  const tell = telling(model, signal);
  for (const part of parts) listen(part, model, facts, tell, point, root);
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
    controls(model, facts, tell),
    make("p", {}, [cross, make("br"), pointer, "\u00a0"]),
    help(facts.note + HINT, parts.map((part) => part.slider)),
  ];
}
