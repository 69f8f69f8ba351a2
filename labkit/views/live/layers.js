// The layers of a print, drawn one at a time with the true width of their lines.

const TALLEST_PX = 460;
const COLUMNS = 6; // x, y from; x, y to; width; role
const USUAL_WIDTH_MM = 0.45; // where the file states none
const MARGIN_MM = 2;
const AHEAD = 3; // layers that are fetched before they are asked for
const MOST_KEPT = 200;
const HINT = `Click the layer; then ${KEYS}`;

export default () => {
  let layers; // one for all views of a model
  return {
    initialize({ model }) {
      layers = fetched(model);
    },
    render({ model, el, signal }) {
      el.append(view(model, layers, signal));
    },
  };
};

/** The lines of layers that have arrived; asks for those that have not. */
function fetched(model) {
  const count = model.get("facts").z_mm.length;
  const layers = { rows: new Map(), changed: new EventTarget() };
  const asked = new Set();
  layers.want = (number) => {
    for (let n = Math.max(0, number - AHEAD); n <= Math.min(count - 1, number + AHEAD); n++) {
      if (layers.rows.has(n) || asked.has(n)) continue;
      asked.add(n);
      model.send({ layer: n });
    }
  };
  model.on("msg:custom", ({ layer }, [data]) => {
    asked.delete(layer);
    const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    layers.rows.set(layer, new Float32Array(bytes));
    if (layers.rows.size > MOST_KEPT) layers.rows.delete(layers.rows.keys().next().value);
    layers.changed.dispatchEvent(new Event("layer"));
  });
  return layers;
}

function view(model, layers, signal) {
  const facts = model.get("facts");
  const last = facts.z_mm.length - 1;
  const root = group("labkit-layers", `${facts.title}: layers to go through`);
  const canvas = make("canvas", { role: "img" });
  const bar = make("span", { className: "bar", ariaHidden: "true" });
  const sides = { left: "left", right: "right", top: "back", bottom: "front" };
  const marks = at_edges(sides, "side");
  const stage = make("div", { className: "stage" }, [canvas, bar, ...marks]);
  const slider = make("input", { type: "range", min: 0, max: last, step: 1 });
  const number = make("output");
  const slide = make("label", { className: "slide" }, ["Layer ", slider, number]);
  const words = make("output", { className: "words" });
  const legend = make("ul", {}, facts.roles.map(({ name, colour }) => {
    const patch = make("span", { className: "patch", ariaHidden: "true" });
    patch.style.background = colour;
    return make("li", {}, [patch, name]);
  }));
  root.append(stage, slide, words, legend, help(HINT, [slider]));

  const size = facts.high_mm.map((high, n) => high - facts.low_mm[n] + 2 * MARGIN_MM);
  let pxPerMm = 1;
  const draw = () => {
    const rows = layers.rows.get(model.get("layer"));
    const ink = canvas.getContext("2d");
    ink.setTransform(1, 0, 0, 1, 0, 0);
    ink.clearRect(0, 0, canvas.width, canvas.height);
    if (!rows) return;
    ink.setTransform(
      pxPerMm, 0, 0, -pxPerMm,
      (MARGIN_MM - facts.low_mm[0]) * pxPerMm,
      (facts.high_mm[1] + MARGIN_MM) * pxPerMm,
    );
    ink.lineCap = "round";
    // lines of one role and width are one stroke
    let role = -1;
    let width = -1;
    for (let n = 0; n < rows.length; n += COLUMNS) {
      if (rows[n + 5] !== role || rows[n + 4] !== width) {
        if (n) ink.stroke();
        [width, role] = [rows[n + 4], rows[n + 5]];
        ink.strokeStyle = facts.roles[role].colour;
        ink.lineWidth = 0.92 * (width || USUAL_WIDTH_MM); // so that neighbours are told apart
        ink.beginPath();
      }
      ink.moveTo(rows[n], rows[n + 1]);
      ink.lineTo(rows[n + 2], rows[n + 3]);
    }
    ink.stroke();
  };
  const show = () => {
    const layer = model.get("layer");
    slider.value = layer;
    number.textContent = `${facts.numbers[layer]} of ${facts.numbers[last]}`;
    const said = `Z ${facts.z_mm[layer].toFixed(2)} mm, ` +
      `${facts.filament_mm[layer].toFixed(1)} mm of filament`;
    words.textContent = said;
    slider.ariaValueText = `${number.textContent}, ${said}`;
    const axes = "X to the right, Y to the back";
    const room = `${size[0].toFixed(0)} mm across, ${size[1].toFixed(0)} mm deep`;
    canvas.ariaLabel = `Layer ${number.textContent} from above, ${axes}; ${room}: ${said}`;
    layers.want(layer);
    draw();
  };
  const fit = () => {
    const room = Math.max(200, root.clientWidth - 8);
    const scale = Math.min(room / size[0], TALLEST_PX / size[1]);
    const dense = window.devicePixelRatio || 1;
    canvas.style.width = `${size[0] * scale}px`;
    canvas.style.height = `${size[1] * scale}px`;
    canvas.width = Math.round(size[0] * scale * dense);
    canvas.height = Math.round(size[1] * scale * dense);
    pxPerMm = scale * dense;
    const length = round_length(size[0] / 4);
    bar.style.width = `${length * scale}px`;
    bar.textContent = `${length} mm`;
    draw();
  };

  const tell = telling(model, signal);
  const go = (layer) => {
    const to = Math.min(last, Math.max(0, layer));
    if (to !== model.get("layer")) tell("layer", to);
  };
  slides(slider, go);
  wheels(stage, root, (by) => go(model.get("layer") - by));
  stage.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    slider.focus({ preventScroll: true }); // for the keys
  });
  model.on("change:layer", show);
  signal.addEventListener("abort", () => model.off("change:layer", show));
  layers.changed.addEventListener("layer", draw, { signal });
  const observer = new ResizeObserver(fit);
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
  show();
  return root;
}
