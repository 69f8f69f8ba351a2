// A stroke of the brush over a plane: it is shown at once, and drawn by the kernel.

const FINEST_PX = 1; // points of a stroke are not closer

function brush(part, model, facts) {
  const { plane, stage, trail, ring, width, height, wide_mm, spot, voxel } = part;
  let drawn = null; // the stroke under way, in voxels of this plane
  const held = () => ["add", "erase"].includes(model.get("tool"));
  const begin = (event) => {
    drawn = [];
    drag(event);
  };
  const drag = (event) => {
    const [x, y] = spot(event).map((position) => position - 0.5);
    const [px, py] = [trail.width / width, trail.height / height];
    const [lastX, lastY] = drawn.at(-1) ?? [x + 1e9, y];
    const far = Math.hypot((x - lastX) * px, (y - lastY) * py) / devicePixelRatio;
    if (far < FINEST_PX) return;
    const pen = trail.getContext("2d");
    pen.strokeStyle = model.get("tool") === "add" ? facts.colours.cross : facts.colours.line;
    pen.lineWidth = (2 * model.get("radius_mm") * trail.width) / wide_mm;
    pen.lineCap = "round";
    pen.beginPath();
    const start = drawn.at(-1) ?? [x, y];
    pen.moveTo((start[0] + 0.5) * px, (start[1] + 0.5) * py);
    pen.lineTo((x + 0.5) * px, (y + 0.5) * py);
    pen.stroke();
    drawn.push([x, y]);
  };
  const end = () => {
    if (!drawn) return;
    const points_lps_mm = drawn.map(([x, y]) => lps(facts, voxel(x, y)));
    drawn = null;
    const [mode, radius_mm, kind] = ["tool", "radius_mm", "brush"].map((name) => model.get(name));
    const stroke = { mode, plane: plane.name, brush: kind, radius_mm, points_lps_mm };
    model.send({ stroke });
  };
  const encircle = (event) => {
    ring.hidden = !event || !held();
    if (ring.hidden) return;
    const box = stage.getBoundingClientRect();
    const size_px = (2 * model.get("radius_mm") * box.width) / wide_mm;
    ring.style.width = ring.style.height = `${size_px}px`;
    ring.style.left = `${event.clientX - box.left - size_px / 2}px`;
    ring.style.top = `${event.clientY - box.top - size_px / 2}px`;
  };
  return { held, begin, drag, end, encircle, drawing: () => drawn !== null };
}
