"use strict";
const report = JSON.parse(document.getElementById("data").textContent);

// ---- tables: sorting, filtering, copying

function textOf(cell) { return cell.dataset.t ?? cell.innerText.replace(/\s+/g, " ").trim(); }

function sortBy(table, index, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const value = (row) => { const text = row.children[index].dataset.v; return text === "" || text === undefined ? null : text; };
  const order = (p, q) => isNaN(p) || isNaN(q) ? p.localeCompare(q) : p - q;
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const [p, q] = [value(a), value(b)];
    if (p === null || q === null) return (p === null) - (q === null);
    return descending ? order(q, p) : order(p, q);
  });
  table.tBodies[0].append(...rows);
}

const UNITS = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, ms: 1e6, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** A test of rows: every word must occur, and every comparison such as macs<3.5G must hold. */
function wanted(table, query) {
  const headers = [...table.tHead.rows[0].children].map((header) => textOf(header).toLowerCase());
  const tests = query.trim().split(/\s+/).filter(Boolean).map((word) => {
    const found = word.match(/^([^<>=]+)(<=|>=|<|>|=)([\d.]+)(k|M|G|T|ms|KiB|MiB|GiB)?$/);
    const column = found ? headers.findIndex((header) => header.replace(/\s+/g, "").startsWith(found[1].toLowerCase())) : -1;
    if (column < 0) return (row) => [...row.cells].some((cell) => textOf(cell).toLowerCase().includes(word.toLowerCase()));
    const bound = Number(found[3]) * (UNITS[found[4]] ?? 1);
    const holds = { "<": (v) => v < bound, "<=": (v) => v <= bound, ">": (v) => v > bound, ">=": (v) => v >= bound, "=": (v) => v === bound }[found[2]];
    return (row) => row.cells[column].dataset.v !== "" && holds(Number(row.cells[column].dataset.v));
  });
  return (row) => tests.every((test) => test(row));
}

function filterBy(table, query, count) {
  const test = wanted(table, query);
  let left = 0;
  for (const row of table.tBodies[0].rows) left += !(row.hidden = !test(row));
  count.textContent = query.trim() ? `${left} of ${table.tBodies[0].rows.length}` : "";
}

/** What is seen of a table, as rows of text; columns without a heading of their own to sort by are left out. */
function contents(table) {
  const columns = [...table.tHead.rows[0].children].flatMap((header, index) => header.querySelector(".plain[data-skip]") ? [] : [index]);
  const rows = [table.tHead.rows[0], ...[...table.tBodies[0].rows].filter((row) => !row.hidden)];
  return rows.map((row) => columns.map((index) => row.children[index]).map((cell, place) => {
    const exact = cell.classList.contains("number") && cell.dataset.v;
    return exact && cell.closest("tbody") ? cell.dataset.v : textOf(cell);
  }));
}

const WRITERS = {
  Markdown(rows) {
    const line = (cells) => "| " + cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ") + " |";
    const rule = rows[0].map((_, index) => index && rows.slice(1).every((row) => row[index] === "" || !isNaN(row[index])) ? "---:" : "---");
    return [rows[0], rule, ...rows.slice(1)].map(line).join("\n") + "\n";
  },
  CSV(rows) {
    const quoted = (cell) => /[",\n]/.test(cell) ? '"' + cell.replaceAll('"', '""') + '"' : cell;
    return rows.map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  },
  LaTeX(rows) {
    const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "×": "$\\times$" };
    const escaped = (cell) => cell.replace(/[\\~^×&%$#_{}]/g, (sign) => special[sign] ?? "\\" + sign);
    const line = (row) => row.map(escaped).join(" & ") + " \\\\";
    const places = rows[0].map((_, index) => index && rows.slice(1).every((row) => row[index] === "" || !isNaN(row[index])) ? "r" : "l").join("");
    return ["\\begin{tabular}{" + places + "}", "\\toprule", line(rows[0]), "\\midrule", ...rows.slice(1).map(line), "\\bottomrule", "\\end{tabular}"].join("\n") + "\n";
  },
};

function made(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A line above a table: a field that filters its rows, and what it can be copied as. */
function tools(table) {
  const count = made("output", {});
  const field = made("input", { type: "search", placeholder: "Filter: words, or macs<3.5G", spellcheck: false });
  field.setAttribute("aria-label", "Filter the rows of this table");
  field.addEventListener("input", () => filterBy(table, field.value, count));
  const buttons = Object.entries(WRITERS).map(([name, write]) => {
    const button = made("button", { type: "button" }, name);
    button.setAttribute("aria-label", "Copy the table as " + name);
    button.addEventListener("click", () => copyText(write(contents(table)), "the table as " + name));
    return button;
  });
  const line = made("div", { className: "tools" }, field, count, made("span", {}, "Copy as"), ...buttons);
  (table.closest(".scroll") ?? table).before(line);
}

function bindTables() {
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const [index, header] of [...table.tHead.rows[0].children].entries()) {
      header.querySelector("button")?.addEventListener("click", () => sortBy(table, index, header));
    }
    if (table.tBodies[0].rows.length > 1) tools(table);
  }
}

// ---- copying and downloading

/** The name, YAML and Python of a network by its number; pages that pack them say how they are unpacked. */
let source = (index) => report.sources[index];

function say(text) {
  const status = document.getElementById("status");
  status.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { status.textContent = ""; }, 2500);
}

/** Copying where there is no clipboard to write to, as in a page opened from a file. */
function copySelected(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.style.cssText = "position:fixed;top:0;opacity:0";
  document.body.append(area);
  area.select();
  let copied = false;
  try { copied = document.execCommand("copy"); } catch { copied = false; }
  area.remove();
  return copied;
}

async function copyText(text, name) {
  let copied = true;
  try { await navigator.clipboard.writeText(text); } catch { copied = copySelected(text); }
  if (copied) return say("Copied " + name);
  const area = document.getElementById("text-area");
  document.getElementById("text-title").textContent = name;
  area.value = text;
  document.getElementById("text-dialog").showModal();
  area.focus();
  area.select();
}

function download(index) {
  const { name, yaml } = source(index);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([yaml], { type: "application/yaml" }));
  link.download = name + ".yaml";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy) {
    const found = source(Number(button.dataset.network));
    copyText(found[button.dataset.copy], button.dataset.copy === "yaml" ? found.name + ".yaml" : "the Python of " + found.name);
  }
  if (button?.dataset.download) download(Number(button.dataset.download));
});

// ---- start

document.addEventListener("DOMContentLoaded", async () => {
  bindTables();
  await window.begin?.();
  document.documentElement.dataset.ready = "true";
});
