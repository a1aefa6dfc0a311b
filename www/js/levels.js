// What a database is made of: level 0 from the newest table on, then its runs, each with its share of the bytes.

import { keyText } from "./bytes.js";
import { make } from "./dom.js";
import { count, counted, size } from "./format.js";

/** More tables of one level than anybody reads; the rest is counted. */
const SHOWN_MAX = 200;

export function levels(view) {
  const groups = [
    { name: "Level 0", note: "newest first, ranges overlap", tables: view.l0 },
    ...view.runs.map((run) => ({ name: `Run ${run.id}`, note: "ranges follow one another", tables: run.tables })),
  ].filter((group) => group.tables.length > 0);
  const total = groups.reduce((sum, group) => sum + bytesOf(group.tables), 0);
  return make(
    "section",
    { class: "levels", "aria-labelledby": "levels-title" },
    make("h2", { id: "levels-title" }, "Tables"),
    groups.length === 0
      ? make("p", { class: "empty" }, "No tables: nothing was flushed yet, or all of it was retired.")
      : groups.map((group) => level(group, total)),
  );
}

function level({ name, note, tables }, total) {
  const bytes = bytesOf(tables);
  const largest = Math.max(...tables.map((table) => Number(table.bytes)));
  const shown = tables.slice(0, SHOWN_MAX);
  return make(
    "details",
    { class: "level", open: tables.length <= 20 },
    make(
      "summary",
      {},
      make("span", { class: "level-name" }, name),
      bar(bytes / Math.max(1, total), `${Math.round((100 * bytes) / Math.max(1, total))} % of all bytes`),
      make("span", { class: "level-size" }, `${counted(tables.length, "table")}, ${size(bytes)}`),
    ),
    make("p", { class: "faint" }, note),
    make(
      "table",
      { class: "stack tables" },
      make(
        "thead",
        {},
        make("tr", {}, [["Table"], ["First key"], ["Last key"], ["Sequences", "number"], ["Entries", "number"], ["Size", "number"], [""]].map(([head, kind]) => make("th", { scope: "col", class: kind }, head))),
      ),
      make("tbody", {}, shown.map((table) => tableRow(table, largest))),
    ),
    tables.length > SHOWN_MAX && make("p", { class: "faint" }, `and ${counted(tables.length - SHOWN_MAX, "more table")}; \`isledb dump\` lists all`),
  );
}

function tableRow(table, largest) {
  return make(
    "tr",
    {},
    make("td", { class: "mono id", "data-label": "Table", title: table.id }, table.id),
    make("td", { class: "mono key", "data-label": "First key", title: keyText(table.minKey) }, keyText(table.minKey)),
    make("td", { class: "mono key", "data-label": "Last key", title: keyText(table.maxKey) }, keyText(table.maxKey)),
    make("td", { class: "number", "data-label": "Sequences" }, `${count(table.seqLo)}–${count(table.seqHi)}`),
    make("td", { class: "number", "data-label": "Entries" }, count(table.entries)),
    make("td", { class: "number", "data-label": "Size" }, size(table.bytes)),
    make("td", { class: "share" }, bar(Number(table.bytes) / Math.max(1, largest))),
  );
}

/** A bar of this share of its width, drawn by CSS from a property: inline styles are forbidden to the page. */
function bar(share, label) {
  const element = make("span", label ? { class: "bar-of", role: "img", "aria-label": label, title: label } : { class: "bar-of", "aria-hidden": "true" }, make("span", {}));
  element.style.setProperty("--share", share);
  return element;
}

const bytesOf = (tables) => tables.reduce((sum, table) => sum + Number(table.bytes), 0);
