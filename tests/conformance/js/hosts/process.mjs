// Node, Deno and Bun: a process that is told its work, and prints its results as one line of JSON.
import { readFileSync } from "node:fs";
import process from "node:process";
import * as glue from "conformance-glue";
import { failuresOf, runCase } from "../cases.mjs";
import { openPlace } from "../places.mjs";

// A case that fails ends its module in the middle of a task; what it said has been heard by then.
process.on("uncaughtException", () => {});
const { wasm, work } = JSON.parse(process.argv[2]);
glue.initSync({ module: readFileSync(wasm) });
const results = [];
for (const { place, names } of work) {
  results.push({ place: place.name, failures: await failuresOf(names, (name) => runCase(glue, openPlace(place), name)) });
}
console.log(JSON.stringify(results));
// A case that was given up may have left timers.
process.exit(0);
