// The first screen: how large the database is, who owns it, how old the view is, and what it is made of.

import { make } from "./dom.js";
import { ago, count, date, size, span } from "./format.js";
import { levels } from "./levels.js";

/** Fills `panel` from `reader.view()`; ages go on ticking until the panel is filled again. */
export class Overview {
  #panel;
  #timer = null;

  constructor(panel) {
    this.#panel = panel;
  }

  show(view, ticket) {
    clearInterval(this.#timer);
    const readAt = Date.now() - Number(view.ageMs ?? 0);
    const age = make("b", {});
    const tick = () => (age.textContent = span(Date.now() - readAt));
    tick();
    this.#timer = setInterval(tick, 1000);
    this.#panel.replaceChildren(
      make(
        "dl",
        { class: "figures" },
        figure("Entries", make("b", {}, count(view.entries)), deletes(view)),
        figure("Size", make("b", {}, size(view.bytes)), `in ${count(tablesOf(view))} tables`),
        figure("Next sequence", make("b", {}, count(view.nextSequence)), "the number of the next change"),
        figure("Age of this view", age, view.maxViewAgeMs ? `good for ${span(view.maxViewAgeMs)}` : "no limit is set"),
      ),
      make("div", { class: "columns" }, owners(view), facts(view, ticket)),
      levels(view),
    );
  }
}

const tablesOf = (view) => view.l0.length + view.runs.reduce((sum, run) => sum + run.tables.length, 0);

const deletes = (view) =>
  view.deletes === null || view.deletes === undefined ? "an older table does not count them" : `${count(view.deletes)} of them deletes`;

function figure(name, value, note) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value, make("small", {}, note)));
}

function owners(view) {
  const row = (role, owner) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, role),
      owner
        ? [
            make("td", { class: "mono wrap", "data-label": "Owner" }, owner.owner),
            make("td", { class: "number", "data-label": "Epoch" }, count(owner.epoch)),
            make("td", { "data-label": "Since", title: date(owner.claimedAtMs) }, ago(owner.claimedAtMs)),
          ]
        : make("td", { colspan: "3", class: "faint" }, "nobody yet"),
    );
  return make(
    "section",
    { "aria-labelledby": "owners-title" },
    make("h2", { id: "owners-title" }, "Owners"),
    make(
      "table",
      { class: "stack" },
      make("thead", {}, make("tr", {}, ["Role", "Owner", "Epoch", "Since"].map((name) => make("th", { scope: "col", class: name === "Epoch" ? "number" : null }, name)))),
      make("tbody", {}, row("writer", view.writer), row("maintenance", view.maintenance)),
    ),
  );
}

function facts(view, ticket) {
  const rows = [
    ["Prefix", view.prefix || "the whole bucket", "mono"],
    ["Version", make("span", { title: view.version }, `slot ${count(Number(view.nextSeq) - 1)} of the log`)],
    ["Change feed", view.feedFloorSeq == null ? "unknown" : `from slot ${count(view.feedFloorSeq)} on`],
    ["Log window", `slots ${count(Math.max(1, Number(view.logSeqStart)))} to ${count(Number(view.nextSeq) - 1)}`],
    ["Snapshot", view.snapshot ? view.snapshot.split("/").at(-1) : "none", "mono"],
    ["LSN", lsn(view)],
    ["Extensions", view.extensions?.length ? view.extensions.join(", ") : null],
    ["Ticket", ticket && `expires ${date(ticket.expires_at_ms)}${ticket.range ? ", for a part of the keys" : ""}`],
  ];
  return make(
    "section",
    { "aria-labelledby": "facts-title" },
    make("h2", { id: "facts-title" }, "Manifest"),
    make(
      "dl",
      { class: "facts" },
      rows.filter(([, value]) => value).map(([name, value, kind]) => make("div", {}, make("dt", {}, name), make("dd", { class: kind }, value))),
    ),
  );
}

function lsn(view) {
  if (view.maxCommittedLsn == null && view.lowWatermarkLsn == null) return null;
  return `committed up to ${count(view.maxCommittedLsn)}, low watermark ${count(view.lowWatermarkLsn)}`;
}
