// A database that nothing but a cron worker maintains, a run for every so many flushes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { skip, start } from "./workerd.mjs";

const FLUSHES = 1000;
/** Flushes between two runs of the cron worker. */
const BETWEEN = 25;
/** Level 0 has what came since the last run, and what did not make eight before it. */
const MAX_TABLES = BETWEEN + 8;
const MAX_RUNS = 12;

let worker;
before(async () => {
  if (!skip) worker = await start(fileURLToPath(new URL("cron_worker.ts", import.meta.url)), { PREFIX: "service/db" });
});
after(() => worker?.stop());

test("a thousand flushes stay few tables, and every read is right", { skip }, async () => {
  const model = new Map();
  let [most, mostRuns] = [0, 0];
  for (let from = 0; from < FLUSHES; from += BETWEEN) {
    await ask(`/flushes?from=${from}&to=${from + BETWEEN}`);
    for (let flush = from; flush < from + BETWEEN; flush += 1) apply(model, flush);
    const before = await ask("/read");
    await ask("/cron");
    const read = await ask("/read");
    for (const { entries } of [before, read]) assert.deepEqual(entries, [...model].sort(([a], [b]) => (a < b ? -1 : 1)));
    assert.ok(read.tables < 8, `${read.tables} tables in level 0 after a run`);
    most = Math.max(most, before.tables);
    mostRuns = Math.max(mostRuns, read.runs);
  }
  assert.ok(most <= MAX_TABLES, `${most} tables in level 0`);
  assert.ok(mostRuns <= MAX_RUNS, `${mostRuns} runs`);
});

async function ask(path) {
  const answer = await worker.ask(path);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text);
}

/** The rule of `cron_worker.ts`, once more. */
function apply(model, flush) {
  for (const i of [0, 1, 2, 3]) {
    const key = `key/${String((flush * 7 + i * 13) % 300).padStart(3, "0")}`;
    if ((flush + i) % 5 === 0) model.delete(key);
    else model.set(key, `${flush}.${i}`);
  }
}
