// A surface to turn and to cut. k3d draws it; here are the controls around it.

const FIELD_OF_VIEW_DEG = 20; // as the scene has it: narrow, so that near and far look alike
// Of the way to the camera: a word further back or nearer would be drawn over the surface.
const [BEHIND, BEFORE] = [-0.5, 0.9];
const TURNS_DEG = [[0, 0], [90, 0], [180, 0], [-90, 0], [0, 90], [0, -90]];

export default {
  render({ model, el, signal }) {
    el.append(view(model, signal));
  },
};

function view(model, signal) {
  const facts = model.get("facts");
  const root = make("div", { className: "labkit-surface", role: "group" });
  root.ariaLabel = `${facts.title}: surface to turn and cut`;
  // JupyterLab would take arrow keys and letters for its own
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  const picture = make("div", { className: "scene", role: "img" });
  const side = make("select", {}, [
    ...facts.seen_from.map((name, n) => make("option", { value: n }, [name])),
    make("option", { value: -1, hidden: true }, ["in between"]),
  ]);
  const turn = range(-180, 180, 5);
  const tilt = range(-90, 90, 5);
  const near = range(50, 400, 10);
  const axis = make("select", {}, [
    make("option", { value: -1 }, ["no cut"]),
    ...facts.axes.map(({ name }, n) => make("option", { value: n }, [`across ${name}`])),
  ]);
  const at = range(0, 1, facts.step_mm);
  const place = make("output");
  const flip = make("input", { type: "checkbox" });
  const words = make("output", { className: "words" });
  root.append(
    picture,
    make("div", { className: "controls" }, [
      labelled("Seen from", side),
      labelled("Turn (°)", turn),
      labelled("Tilt (°)", tilt),
      labelled("Nearer (%)", near),
    ]),
    make("div", { className: "controls" }, [
      labelled("Cut", axis),
      labelled("at (mm)", at, place),
      labelled("Show the other side", flip),
    ]),
    words,
  );

  const middle = facts.axes.map(({ low, high }) => (low + high) / 2);
  const looks = { turn: 20, tilt: 15, near: 100 };
  let scene; // k3d's models, once they are here
  let sides = [];

  const planes = () => {
    const n = model.get("axis");
    const cut = [];
    if (n >= 0) {
      const sign = model.get("flipped") ? 1 : -1;
      const plane = [0, 0, 0, -sign * model.get("at_mm")];
      plane[n] = sign;
      cut.push(plane);
    }
    return [...cut, ...model.get("kept")];
  };
  const say = () => {
    const size = facts.axes
      .map(({ name, low, high }) => `${(high - low).toFixed(1)} mm (${name})`)
      .join(" × ");
    const seen = Number(side.value) >= 0 ? `; seen from ${facts.seen_from[side.value]}` : "";
    const n = model.get("axis");
    let cut = "";
    if (n >= 0) {
      const { name, ends, low, high } = facts.axes[n];
      const shown = ends[model.get("flipped") ? 1 : 0];
      place.textContent = coordinate(facts, n, model.get("at_mm"));
      at.ariaValueText = `${place.textContent}, from ${coordinate(facts, n, low)} ` +
        `to ${coordinate(facts, n, high)}`;
      cut = `; cut across ${name} at ${place.textContent}, shown is the side towards ${shown}`;
    } else {
      place.textContent = "";
    }
    words.textContent = `${size}, scales in mm${cut}`;
    picture.ariaLabel = `${facts.title}: a surface of ${size}${seen}${cut}`;
  };
  const show = () => {
    const n = model.get("axis");
    axis.value = n;
    at.disabled = flip.disabled = n < 0;
    if (n >= 0) {
      [at.min, at.max] = [facts.axes[n].low, facts.axes[n].high];
      at.value = model.get("at_mm");
    }
    flip.checked = model.get("flipped");
    say();
    if (!scene) return;
    scene.set("clipping_planes", planes());
    scene.save_changes();
  };
  const fill = () => {
    [turn.value, tilt.value, near.value] = [looks.turn, looks.tilt, looks.near];
    side.value = TURNS_DEG.findIndex(
      ([a, b]) => b === looks.tilt && (a - looks.turn) % 360 === 0,
    );
    say();
  };
  const look = () => {
    fill();
    if (!scene) return;
    scene.set("camera", camera(middle, facts.reach_mm, looks));
    scene.save_changes();
  };
  // the mouse turns it, too
  const turned = () => {
    const to = scene.get("camera").slice(0, 3).map((mm, n) => mm - middle[n]);
    const away = Math.hypot(...to);
    if (!(away > 0)) return;
    const upright = Math.abs(to[2]) / away > 0.9999; // then the turn is not told
    if (!upright) looks.turn = degrees(Math.atan2(to[0], -to[1]));
    looks.tilt = degrees(Math.asin(to[2] / away));
    looks.near = Math.round((100 * distance(facts.reach_mm, 100)) / away);
    fill();
    sides.forEach((side, n) => {
      const towards = ((n % 2 ? 1 : -1) * to[n >> 1]) / away;
      const beside = BEHIND < towards && towards < BEFORE;
      if (side.get("visible") === beside) return;
      side.set("visible", beside);
      side.save_changes();
    });
  };
  let later;
  const tell = () => { // the kernel hears of it when the hand rests
    clearTimeout(later);
    later = setTimeout(() => model.save_changes(), 200);
  };
  signal.addEventListener("abort", () => clearTimeout(later));
  axis.addEventListener("input", () => {
    const n = Number(axis.value);
    if (n >= 0) model.set("at_mm", middle[n]);
    model.set("axis", n);
    tell();
  });
  at.addEventListener("input", () => {
    model.set("at_mm", Number(at.value));
    tell();
  });
  flip.addEventListener("input", () => {
    model.set("flipped", flip.checked);
    tell();
  });
  side.addEventListener("input", () => {
    [looks.turn, looks.tilt] = TURNS_DEG[side.value];
    look();
  });
  for (const [name, slider] of Object.entries({ turn, tilt, near })) {
    slider.addEventListener("input", () => {
      looks[name] = Number(slider.value);
      look();
    });
  }
  for (const name of ["axis", "at_mm", "flipped", "kept"]) {
    model.on(`change:${name}`, show);
    signal.addEventListener("abort", () => model.off(`change:${name}`, show));
  }

  const arrived = async () => {
    const manager = model.widget_manager;
    const named = (name) => manager.get_model(name.replace("IPY_MODEL_", ""));
    scene = await named(model.get("scene"));
    sides = await Promise.all(model.get("sides").map(named));
    scene.on("change:camera", turned);
    signal.addEventListener("abort", () => scene.off("change:camera", turned));
    look();
    show();
    const drawn = await manager.create_view(scene, {});
    if (signal.aborted) return drawn.remove();
    picture.append(drawn.el);
    signal.addEventListener("abort", () => drawn.remove());
  };
  arrived().catch((error) => {
    picture.textContent = `The surface cannot be drawn here: ${error}`;
  });
  show();
  look();
  return root;
}

/** Where the camera stands, what it looks at and which way is up, as k3d takes it. */
function camera(middle, reach_mm, { turn, tilt, near }) {
  const [a, b] = [turn, tilt].map((angle) => (angle * Math.PI) / 180);
  const away = distance(reach_mm, near);
  const to = [Math.sin(a) * Math.cos(b), -Math.cos(a) * Math.cos(b), Math.sin(b)];
  const up = [-Math.sin(a) * Math.sin(b), Math.cos(a) * Math.sin(b), Math.cos(b)];
  return [...middle.map((mm, n) => mm + away * to[n]), ...middle, ...up];
}

/** From the middle of the surface to the camera, mm, so that all of it is seen at 100 %. */
function distance(reach_mm, near) {
  return ((1.25 * reach_mm) / Math.sin((FIELD_OF_VIEW_DEG * Math.PI) / 360)) * (100 / near);
}

function degrees(radians) {
  return Math.round((radians * 180) / Math.PI);
}

/** A place along an axis: with the patient's letter, or as the plate counts. */
function coordinate(facts, n, mm) {
  if (facts.frame !== "LPS") return `${facts.axes[n].name} ${mm.toFixed(1)} mm`;
  return `${facts.axes[n].ends[mm < 0 ? 0 : 1]} ${Math.abs(mm).toFixed(1)} mm`;
}

function range(min, max, step) {
  return make("input", { type: "range", min, max, step });
}

function labelled(text, ...fields) {
  const [field] = fields;
  const children = field.type === "checkbox" ? [...fields, ` ${text}`] : [`${text} `, ...fields];
  return make("label", {}, children);
}

function make(tag, settings = {}, children = []) {
  const element = Object.assign(document.createElement(tag), settings);
  element.append(...children);
  return element;
}
