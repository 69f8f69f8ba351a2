// A table of measurements.  The page keeps what stands in the fields and tells the kernel
// of each change; deviation, verdict and words come from the kernel.

const HEADS = [
  "feature", "axis", "nominal (mm)", "measured (mm)", "deviation", "verdict", "instrument", "remark",
];
let made = 0; // so that ids differ between tables of one page

export default {
  render({ model, el, signal }) {
    const table = fields(model);
    const limits = said("p", "");
    const status = said("p", "");
    const use = document.createElement("button");
    use.type = "button";
    use.textContent = model.get("button");
    use.addEventListener("click", () => model.send({ use: true }));
    const root = document.createElement("div");
    root.className = "labkit-measuring";
    root.append(limits, numbers(model, table), table.element, use, status);
    el.append(root);

    const tell = () => {
      const { role, text } = model.get("said");
      if (status.textContent === text && status.getAttribute("role") === role) return;
      status.setAttribute("role", role);
      status.textContent = text;
    };
    const judge = () => {
      limits.textContent = `Limits: ${model.get("limits")}. Deviation is measured minus nominal.`;
      table.judge(model.get("rows"));
    };
    model.on("change:rows", judge);
    model.on("change:limits", judge);
    model.on("change:said", tell);
    signal?.addEventListener("abort", () => {
      model.off("change:rows", judge);
      model.off("change:limits", judge);
      model.off("change:said", tell);
    });
    judge();
    tell();
  },
};

/** The table with its fields; `judge` shows what the kernel found. */
function fields(model) {
  const element = document.createElement("table");
  const head = element.createTHead().insertRow();
  for (const name of HEADS) {
    const cell = said("th", name);
    cell.scope = "col";
    if (name.endsWith("(mm)")) cell.className = "number";
    head.append(cell);
  }
  const body = element.createTBody();
  const lines = new Map();
  for (const row of model.get("rows")) {
    const id = `labkit-measuring-${++made}`;
    const name = said("th", row.feature);
    name.scope = "row";
    const deviation = said("td", "", "number deviation");
    const verdict = said("td", "", "verdict");
    const fault = said("span", "", "fault");
    deviation.id = `${id}-deviation`;
    verdict.id = `${id}-verdict`;
    fault.id = `${id}-fault`;
    const measured = field(model, row, "measured", "number", `${row.feature}: measured (mm)`);
    measured.setAttribute("aria-describedby", `${deviation.id} ${verdict.id} ${fault.id}`);
    const instrument = field(model, row, "instrument", "text", `${row.feature}: instrument`);
    const remark = field(model, row, "remark", "text", `${row.feature}: remark`);
    const line = body.insertRow();
    line.append(name, said("td", row.axis), said("td", row.nominal, "number"));
    line.append(holding(measured, fault), deviation, verdict);
    line.append(holding(instrument), holding(remark));
    lines.set(row.feature, { row, measured, instrument, deviation, verdict, fault });
  }
  const judge = (rows) => {
    for (const row of rows) {
      const line = lines.get(row.feature);
      if (!line) continue;
      line.deviation.textContent = row.deviation;
      line.verdict.textContent = row.verdict;
      line.verdict.style.color = row.colour;
      line.fault.textContent = row.fault;
      line.measured.setAttribute("aria-invalid", String(Boolean(row.fault)));
    }
  };
  return { element, lines, judge };
}

/** A field for each kind of instrument: its number goes into all lines of that kind. */
function numbers(model, table) {
  const box = document.createElement("div");
  box.className = "kinds";
  const lines = [...table.lines.values()];
  for (const kind of new Set(lines.map(({ row }) => row.planned))) {
    const label = document.createElement("label");
    const entry = document.createElement("input");
    entry.type = "text";
    entry.autocomplete = "off";
    let before = kind;
    entry.addEventListener("input", () => {
      const now = `${kind} ${entry.value}`.trim();
      for (const { row, instrument } of lines) {
        if (row.planned !== kind || instrument.value !== before) continue;
        instrument.value = now;
        tell(model, row.feature, "instrument", now);
      }
      before = now;
    });
    label.append(`number of the ${kind}`, entry);
    box.append(label);
  }
  return box;
}

function field(model, row, name, type, label) {
  const entry = document.createElement("input");
  entry.type = type;
  entry.value = row[name];
  entry.autocomplete = "off";
  entry.setAttribute("aria-label", label);
  if (type === "number") {
    entry.step = "any";
    entry.min = "0";
    entry.addEventListener("wheel", () => entry.blur()); // a turn of the wheel is no measurement
  }
  entry.addEventListener("input", () => {
    // a number field hides from the page what it cannot read
    tell(model, row.feature, name, entry.validity.badInput ? "no number" : entry.value);
  });
  return entry;
}

function tell(model, feature, field, text) {
  model.send({ feature, field, text });
}

function holding(...parts) {
  const cell = document.createElement("td");
  cell.append(...parts);
  return cell;
}

function said(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}
