"use strict";
const TRIALS = 0, FRONT = 1, LANDMARKS = 2, PINNED = 6;


// ---- networks, put together from the texts of their parts

const quantities = report.figures.front.layout.meta.quantities;
const TRIAL = quantities.length, NUMBER = TRIAL + 1;

function partsOf(number) {
  const [name, head, ...stages] = report.networks[number];
  const written = report.names_written[name];
  const [plain, yaml, python] = Array.isArray(written) ? written : [written, written, "'" + written + "'"];
  return { plain, yaml, python, head: report.heads[head], stages: stages.map((stage) => report.stages[stage]) };
}

/** Its settings as a table of monospaced text, as a figure shows them. */
function settings(number) { return [report.header, ...partsOf(number).stages.map((stage) => stage.shown)].join("<br>"); }

source = (number) => {
  const { plain, yaml, python, head, stages } = partsOf(number);
  return {
    name: report.names[number] ?? plain,
    yaml: head.yaml.join(yaml) + "\n" + stages.map((stage) => stage.yaml + "\n").join(""),
    python: [head.python.join(python), ...stages.map((stage) => stage.python), report.closing].join("\n"),
  };
};

function pyramidOf(number) {
  const { stages } = partsOf(number);
  const words = stages.map((stage) => stage.drawing.match(/<title>(.*?)<\/title>/)[1]).join("; ");
  const [width, height] = report.drawing;
  return `<svg class="drawing" viewBox="0 0 ${width} ${height}" role="img" aria-label="${words}">${stages.map((stage) => stage.drawing).join("")}</svg>`;
}

// ---- figures

function hasWebGL() {
  try { return Boolean(document.createElement("canvas").getContext("webgl")); } catch { return false; }
}

function element(name) { return document.getElementById("figure-" + name); }

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function theme() {
  return {
    "font.color": colour("--muted"),
    "hoverlabel.bgcolor": colour("--panel"),
    "hoverlabel.bordercolor": colour("--line"),
    "hoverlabel.font.color": colour("--text"),
  };
}

function draw(name, figure) {
  for (const trace of figure.data) {
    if (trace.customdata) trace.text = trace.customdata.map((values) => settings(values[NUMBER]));
    if (trace.type === "scattergl" && !hasWebGL()) trace.type = "scatter";
  }
  element(name).style.height = figure.layout.height + "px";
  element(name).before(legend(name, figure.data));
  return Plotly.newPlot(element(name), figure.data, { ...figure.layout, showlegend: false }, report.config);
}

/** The legend as buttons outside the drawing: it wraps on a phone, and the keyboard reaches it. */
function legend(name, traces) {
  const list = document.createElement("div");
  list.className = "legend";
  for (const trace of traces.filter((other) => other.showlegend !== false)) {
    const group = [...traces.keys()].filter((index) => trace.legendgroup ? traces[index].legendgroup === trace.legendgroup : traces[index] === trace);
    const button = document.createElement("button");
    const swatch = document.createElement("i");
    swatch.className = trace.marker.symbol || (trace.type === "bar" ? "square" : "circle");
    swatch.style.background = name === "front" && trace === traces[FRONT] ? "var(--accent)" : trace.marker.color;
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(swatch, trace.name);
    button.addEventListener("click", () => {
      const visible = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(visible));
      Plotly.restyle(element(name), { visible }, group);
    });
    list.append(button);
  }
  return list;
}

function repaint() {
  for (const name of Object.keys(report.figures)) Plotly.relayout(element(name), theme());
  Plotly.restyle(element("front"), { "marker.color": colour("--accent"), "line.color": colour("--accent"), "marker.line.color": colour("--page") }, [FRONT]);
  if (report.figures.progress) Plotly.restyle(element("progress"), { "line.color": colour("--accent") }, [0]);
  Plotly.restyle(element("front"), { "textfont.size": 11, "textfont.color": colour("--text") }, [LANDMARKS, LANDMARKS + 1, LANDMARKS + 2]);
}

function column(trace, index) { return trace.customdata.map((values) => values[index]); }

let shownAxes = report.figures.front.layout.meta.first.split("|");

async function showAxes(x, y) {
  shownAxes = [x, y];
  const front = element("front");
  const view = report.figures.front.layout.meta.views[x + "|" + y];
  const large = [TRIALS, FRONT].map((index) => front.data[index]);
  const places = { x: large.map((trace) => column(trace, view.x)), y: large.map((trace) => column(trace, view.y)) };
  await Plotly.restyle(front, places, [TRIALS, FRONT]);
  for (const [index, patch] of Object.entries(view.traces)) {
    const values = {};
    for (const [key, value] of Object.entries(patch)) {
      if (key === "line") values["line.shape"] = value.shape;
      else values[key] = Array.isArray(value) ? [value] : value;
    }
    await Plotly.restyle(front, values, [Number(index)]);
  }
  const { xaxis, yaxis, shapes, annotations } = structuredClone(view.layout);
  const layout = { shapes, annotations };
  for (const [name, axis] of [["xaxis", xaxis], ["yaxis", yaxis]]) {
    for (const [key, value] of Object.entries(axis)) layout[key === "title" ? name + ".title.text" : name + "." + key] = key === "title" ? value.text : value;
  }
  await Plotly.relayout(front, layout);
  await ring();
  placeLabels();
}

/** An axis menu never shows one quantity twice: choosing the other axis's quantity swaps the two. */
function bindAxes() {
  const x = document.getElementById("axis-x"), y = document.getElementById("axis-y");
  if (!x) return;
  [x.value, y.value] = report.figures.front.layout.meta.first.split("|");
  let shown = [x.value, y.value];
  for (const [menu, other, at] of [[x, y, 0], [y, x, 1]]) {
    menu.addEventListener("change", () => {
      if (other.value === menu.value) other.value = shown[at];
      shown = [x.value, y.value];
      showAxes(x.value, y.value);
    });
  }
}

// ---- labels of published networks: each takes the first free place beside its mark, and none where there is none

const SIDES = {
  "middle right": [1, 0], "middle left": [-1, 0], "top center": [0, -1], "bottom center": [0, 1],
  "top right": [1, -1], "top left": [-1, -1], "bottom right": [1, 1], "bottom left": [-1, 1],
};
const FOREMOST = ["resnet50", "pvt_small", "pvt_v2_b2"];

function box(x, y, width, [right, down]) {
  const left = right > 0 ? x + (down ? 3 : 8) : right < 0 ? x - (down ? 3 : 8) - width : x - width / 2;
  const middle = y + down * 14;
  return { left, right: left + width, top: middle - 7, bottom: middle + 7 };
}

function meet(a, b) { return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom; }

function mark(x, y, half) { return { left: x - half, right: x + half, top: y - half, bottom: y + half }; }

function placeLabels() {
  const front = element("front"), full = front._fullLayout;
  const axes = front.data.map((trace) => [full["xaxis" + (trace.xaxis || "x").slice(1)], full["yaxis" + (trace.yaxis || "y").slice(1)]]);
  const width = full.xaxis._length, height = full.yaxis._length;
  const pixels = (index) => (front.data[index].x || []).map((x, i) => [axes[index][0].d2p(x), axes[index][1].d2p(front.data[index].y[i])]);
  const taken = pixels(FRONT).slice(0, 600).map(([x, y]) => mark(x, y, 3));
  const ticks = [LANDMARKS, LANDMARKS + 1, LANDMARKS + 2];
  const labels = ticks.flatMap((index) => pixels(index).map(([x, y], i) => ({ index, i, x, y, name: front.data[index].hovertext[i].match(/<b>(.*?)<\/b>/)[1] })))
    .filter(({ x, y }) => x >= 0 && x <= width && y >= 0 && y <= height);
  for (const label of labels) taken.push(mark(label.x, label.y, 4));
  const origin = front.getBoundingClientRect();
  for (const note of front.querySelectorAll(".annotation")) {
    const { left, right, top, bottom } = note.getBoundingClientRect();
    const [across, down] = [origin.left + full._size.l, origin.top + full._size.t];
    taken.push({ left: left - across, right: right - across, top: top - down, bottom: bottom - down });
  }
  labels.sort((a, b) => FOREMOST.includes(b.name) - FOREMOST.includes(a.name));
  const found = Object.fromEntries(ticks.map((index) => [index, { text: (front.data[index].x || []).map(() => ""), textposition: (front.data[index].x || []).map(() => "middle right") }]));
  for (const label of labels) {
    for (const [side, direction] of Object.entries(SIDES)) {
      const place = box(label.x, label.y, label.name.length * 6.1 + 2, direction);
      const inside = place.left >= 0 && place.right <= width && place.top >= 0 && place.bottom <= height;
      if (!inside || taken.some((other) => meet(place, other))) continue;
      taken.push(place);
      found[label.index].text[label.i] = label.name;
      found[label.index].textposition[label.i] = side;
      break;
    }
  }
  for (const index of ticks) {
    Plotly.restyle(front, { text: [found[index].text], textposition: [found[index].textposition] }, [index]);
  }
}

// ---- pins: networks that a reader puts beside one another

const pins = new Set();

/** The values of every network by its number, as the figure has them. */
function values() {
  return values.known ??= new Map([TRIALS, FRONT].flatMap((index) => (report.figures.front.data[index].customdata ?? []).map((row) => [row[NUMBER], row])));
}

function label(number) { return report.names[number] ?? "trial " + values().get(number)[TRIAL]; }

function pin(number) {
  pins.has(number) ? pins.delete(number) : pins.add(number);
  showPins();
  ring();
  say((pins.has(number) ? "Pinned " : "Unpinned ") + label(number));
}

function card(number) {
  const row = values().get(number);
  const listed = made("dl", {}, ...quantities.flatMap(([, title], place) => [made("dt", {}, title), made("dd", {}, row[place].toLocaleString("en"))]));
  const button = (text, properties, data) => { const made_ = made("button", { type: "button", ...properties }, text); Object.assign(made_.dataset, data); return made_; };
  const head = made("h3", {}, label(number));
  const buttons = made("p", { className: "actions" }, button("YAML", {}, { copy: "yaml", network: number }), button("Python", {}, { copy: "python", network: number }), button("Unpin", {}, { pin: number }));
  const stages = made("pre", {}, settings(number).replaceAll("<br>", "\n"));
  const element = made("figure", {}, head);
  element.insertAdjacentHTML("beforeend", pyramidOf(number));  // the writer escaped its texts
  element.append(listed, stages, buttons);
  return element;
}

function showPins() {
  document.getElementById("pinned").replaceChildren(...[...pins].map(card));
  document.getElementById("pins").hidden = pins.size === 0;
  for (const line of document.querySelectorAll(".lines [data-pin]")) line.classList.toggle("pinned", pins.has(Number(line.dataset.pin)));
  for (const button of document.querySelectorAll("td [data-pin]")) button.setAttribute("aria-pressed", String(pins.has(Number(button.dataset.pin))));
}

/** Rings around the pinned networks, on the axes that are shown. */
function ring() {
  const view = report.figures.front.layout.meta.views[shownAxes.join("|")];
  const rows = [...pins].map((number) => values().get(number));
  return Plotly.restyle(element("front"), { x: [rows.map((row) => row[view.x])], y: [rows.map((row) => row[view.y])] }, [PINNED]);
}

document.addEventListener("click", (event) => {
  const found = event.target.closest("[data-pin]");
  if (found) pin(Number(found.dataset.pin));
});

// ---- knobs: lines that leave a chosen value step back

const wantedValues = new Map();

function bindKnobs() {
  const ticks = [...document.querySelectorAll("#knobs [data-axis]")];
  const lines = [...document.querySelectorAll("#knobs [data-ranks]")].map((line) => [line, line.dataset.ranks.split(",").map(Number)]);
  const choose = (tick) => {
    const { axis, rank } = tick.dataset;
    wantedValues.get(axis) === rank ? wantedValues.delete(axis) : wantedValues.set(axis, rank);
    for (const other of ticks) other.setAttribute("aria-pressed", String(wantedValues.get(other.dataset.axis) === other.dataset.rank));
    let left = 0;
    for (const [line, ranks] of lines) left += !line.classList.toggle("away", [...wantedValues].some(([at, value]) => ranks[at] !== Number(value)));
    say(`${left} of ${lines.length} networks`);
  };
  for (const tick of ticks) {
    tick.addEventListener("click", () => choose(tick));
    tick.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(tick); } });
  }
}

// ---- start

/** Runs the library that the page carries compressed. */
async function unpackLibrary() {
  const bytes = Uint8Array.from(atob(document.getElementById("library").textContent), (sign) => sign.charCodeAt(0));
  const text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(made("script", { textContent: text }));
}

async function begin() {
  await unpackLibrary();
  bindAxes();
  bindKnobs();
  const first = report.figures.front.layout.meta.first.split("|");
  for (const [name, figure] of Object.entries(report.figures)) await draw(name, structuredClone(figure));
  repaint();
  await showAxes(...first);
  element("front").on("plotly_click", ({ points: [point] }) => {
    if (point.curveNumber !== FRONT && point.curveNumber !== TRIALS) return;
    const number = point.customdata[NUMBER];
    pin(number);
    document.querySelectorAll("tr.picked").forEach((other) => other.classList.remove("picked"));
    document.getElementById(report.names[number])?.classList.add("picked");
  });
  let settled;
  const settle = () => { clearTimeout(settled); settled = setTimeout(placeLabels, 120); };
  window.addEventListener("resize", settle);
  element("front").on("plotly_relayout", (change) => { if (Object.keys(change).some((key) => key.includes("range"))) settle(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  matchMedia("print").addEventListener("change", repaint);
}
