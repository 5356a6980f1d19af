"use strict";
const TRIALS = 0, FRONT = 1, LANDMARKS = 2;

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
    if (trace.text && trace.text.texts) trace.text = unpacked(trace.text);
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

async function showAxes(x, y) {
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

// ---- start

async function begin() {
  const yaml = unpacked(report.yaml), python = unpacked(report.python);
  source = (index) => ({ name: report.names[index], yaml: yaml[index], python: python[index] });
  bindAxes();
  const first = report.figures.front.layout.meta.first.split("|");
  for (const [name, figure] of Object.entries(report.figures)) await draw(name, structuredClone(figure));
  repaint();
  await showAxes(...first);
  element("front").on("plotly_click", ({ points: [point] }) => {
    const row = point.curveNumber === FRONT && document.getElementById(point.customdata.at(-1));
    if (!row) return;
    document.querySelectorAll("tr.picked").forEach((other) => other.classList.remove("picked"));
    row.classList.add("picked");
    row.scrollIntoView({ block: "center", behavior: "smooth" });
  });
  let settled;
  const settle = () => { clearTimeout(settled); settled = setTimeout(placeLabels, 120); };
  window.addEventListener("resize", settle);
  element("front").on("plotly_relayout", (change) => { if (Object.keys(change).some((key) => key.includes("range"))) settle(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  matchMedia("print").addEventListener("change", repaint);
}
