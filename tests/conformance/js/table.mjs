// The table of the README that says which host passes what, from the results of the last runs.
//
// `node table.mjs` checks that the README has it, `node table.mjs --write` writes it there. Hosts that did not run here (a server
// or browser that this machine cannot have) keep their line.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { root } from "../../tools.mjs";

const BEGIN = "<!-- Written by tests/conformance/js/table.mjs. -->";
const END = "<!-- Until here. -->";
const readme = `${root}README.md`;
const folder = `${process.env.CARGO_TARGET_DIR ?? `${root}target`}/conformance`;

const text = readFileSync(readme, "utf8");
const [before, rest] = text.split(`${BEGIN}\n`);
const [table, after] = (rest ?? "").split(END);
if (after === undefined) throw new Error(`${readme} has no place for the table: ${BEGIN} ... ${END}`);

const lines = new Map();
const add = (host, place, count) => lines.set(`${host}\n${place}`, `| ${host} | ${place} | ${count} |`);
for (const line of table.split("\n").slice(2).filter((line) => line.startsWith("| "))) {
  const [, host, place, count] = line.split("|").map((cell) => cell.trim());
  add(host, place, count);
}
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
for (const name of files.sort()) {
  for (const { host, place, passed, of } of JSON.parse(readFileSync(`${folder}/${name}`, "utf8"))) {
    add(host, place, `${passed} of ${of}`);
  }
}
const rows = [...lines.values()].sort((a, b) => (a < b ? -1 : 1));
const made = `${["| host | store | cases that pass |", "|---|---|---|", ...rows].join("\n")}\n`;
if (made === table) {
  console.log("the README has the table of the last runs");
} else if (process.argv.includes("--write")) {
  writeFileSync(readme, `${before}${BEGIN}\n${made}${END}${after}`);
  console.log(`wrote the table into ${readme}`);
} else {
  console.error(`the README's table is not that of the last runs; run: node tests/conformance/js/table.mjs --write\n\n${made}`);
  process.exit(1);
}
