// Why a key has the value it has: every source that `get` considers, what it says, and which one wins.

import { keyText } from "./bytes.js";
import { make } from "./dom.js";
import { count, counted, date, size } from "./format.js";
import { showProblem } from "./problem.js";

const LEFT_OUT = {
  range: "left out: the key is not between its first and last",
  filter: "left out: its filter says no",
  sequence: "left out: nothing in it can be newer",
};

/** A section that asks when it is opened, since asking costs requests. */
export function whySection(reader, key) {
  const body = make("div", { class: "why-body" });
  const details = make("details", { class: "why" }, make("summary", {}, "Why"), body);
  details.addEventListener("toggle", async () => {
    if (!details.open || body.childNodes.length > 0) return;
    const ask = async () => {
      body.replaceChildren(make("p", { class: "faint" }, "Asking every table…"));
      try {
        const why = await reader.why(key);
        body.replaceChildren(...explained(why, keyText(key)));
      } catch (error) {
        showProblem(body, error, ask);
      }
    };
    await ask();
  });
  return details;
}

function explained(why, name) {
  const asked = why.sources.map((source, i) => ({ source, wins: why.winner === i || source.winner === true }));
  const near = asked.filter(({ source }) => source.skipped !== "range");
  const elsewhere = asked.length - near.length;
  const winner = asked.find(({ wins }) => wins)?.source;
  return [
    make("p", { class: "verdict" }, verdict(why.answer ?? winner?.answer ?? "nothing", winner?.versions[0], name)),
    near.length > 0 &&
      make(
        "table",
        { class: "stack" },
        make("thead", {}, make("tr", {}, ["In", "Table", "Sequences", "Filter", "Block", "Versions", "Verdict"].map((head) => make("th", { scope: "col" }, head)))),
        make("tbody", {}, near.map(({ source, wins }) => sourceRow(source, wins))),
      ),
    elsewhere > 0 && make("p", { class: "faint" }, `${counted(elsewhere, "table")} not asked: the key is outside of their ranges.`),
    asked.length === 0 && make("p", { class: "faint" }, "There are no tables to ask."),
  ].filter(Boolean);
}

function sourceRow(source, wins) {
  const cell = (label, content, kind) => make("td", { "data-label": label, class: kind }, content);
  const block = source.blockOffset ?? source.place?.block?.offset;
  const length = source.blockLength ?? source.place?.block?.length;
  return make(
    "tr",
    { class: wins ? "wins" : null },
    cell("In", source.run === null || source.run === undefined ? "L0" : `run ${source.run}`),
    cell("Table", make("span", { title: source.table }, source.table), "mono id"),
    cell("Sequences", `${count(source.seqLo)}–${count(source.seqHi)}`, "nowrap"),
    cell("Filter", source.filter ?? "not asked"),
    cell("Block", block === null || block === undefined ? "–" : `${count(length)} bytes at ${count(block)}`, "nowrap"),
    cell("Versions", source.versions.length ? [source.versions.map(versionText).join(", "), source.moreVersions ? ", older ones" : ""] : "none"),
    cell("Verdict", role(source, wins), "verdict-cell"),
  );
}

function role(source, wins) {
  if (wins) return make("b", { class: "good" }, "wins");
  if (source.skipped === "filter" && source.versions.length > 0) return make("b", { class: "bad" }, "hidden: its filter is wrong");
  if (source.skipped) return LEFT_OUT[source.skipped] ?? source.skipped;
  return source.versions.length === 0 ? "has no version" : "older";
}

function versionText(version) {
  const held = version.op === "del" || version.op === "delete" ? "delete" : version.blob ? `put of blob ${version.blob.slice(0, 12)}` : `put of ${size(version.bytes)}`;
  return `@${count(version.sequence)} ${held}${version.expiresAtMs == null ? "" : ` until ${date(version.expiresAtMs)}`}`;
}

function verdict(answer, version, name) {
  const at = version && `@${count(version.sequence)}`;
  switch (answer) {
    case "value":
      return `Reading ${name} returns version ${versionText(version)}.`;
    case "deleted":
      return `Reading ${name} finds it deleted by ${at}.`;
    case "expired":
      return `Reading ${name} finds it expired: ${at} lived until ${date(version.expiresAtMs)}.`;
    default:
      return `Reading ${name} finds nothing: no table that counts has it.`;
  }
}
