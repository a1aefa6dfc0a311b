// A database that nothing but a cron worker maintains, a run a minute; the minutes pass at once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { skip, start } from "./workerd.mjs";

const FLUSHES = 1000;
/** Flushes in a minute, hence between two runs of the cron worker. */
const A_MINUTE = 5;
/** Reads are compared with the model every so many minutes. */
const CHECKED = 10;
/** Level 0 has what came since the last run, and what did not make eight before it. */
const MAX_TABLES = A_MINUTE + 8;
const MAX_RUNS = 12;
/** Tables that are in the bucket: an hour of the change feed, what is marked and waits out its grace, and what merges wrote. */
const MAX_OBJECTS = A_MINUTE * 80;

let worker;
before(async () => {
  if (!skip) worker = await start(fileURLToPath(new URL("cron_worker.ts", import.meta.url)), { PREFIX: "service/db" });
});
after(() => worker?.stop());

test("a thousand flushes stay few tables, what is no longer needed goes, and every read is right", { skip }, async () => {
  const model = new Map();
  let [mostTables, mostRuns, mostObjects] = [0, 0, 0];
  for (let from = 0; from < FLUSHES; from += A_MINUTE) {
    await ask(`/flushes?from=${from}&to=${from + A_MINUTE}`);
    for (let flush = from; flush < from + A_MINUTE; flush += 1) apply(model, flush);
    const checked = (from / A_MINUTE) % CHECKED === 0;
    if (checked) mostTables = Math.max(mostTables, (await read(model)).tables);
    await minutes(1);
    if (!checked) continue;
    const { tables, runs } = await read(model);
    assert.ok(tables < 8, `${tables} tables in level 0 after a run`);
    mostRuns = Math.max(mostRuns, runs);
    mostObjects = Math.max(mostObjects, (await tableObjects()).length);
  }
  assert.ok(mostTables <= MAX_TABLES, `${mostTables} tables in level 0`);
  assert.ok(mostRuns <= MAX_RUNS, `${mostRuns} runs`);
  assert.ok(mostObjects <= MAX_OBJECTS, `${mostObjects} tables in the bucket`);
  // The service rests, the cron worker does not: what is left is what the newest view names.
  for (let run = 0; run < 60; run += 1) await minutes(10);
  const { ids } = await read(model);
  assert.deepEqual(await tableObjects(), ids);
});

/** Time passes, and the cron worker runs. */
async function minutes(count) {
  await ask(`/pass?minutes=${count}`);
  await ask("/cron");
}

/** A whole scan, which must be what the model says. */
async function read(model) {
  const read = await ask("/read");
  assert.deepEqual(read.entries, [...model].sort(([a], [b]) => (a < b ? -1 : 1)));
  return read;
}

/** The tables that are in the bucket. */
async function tableObjects() {
  const found = [];
  let page = { truncated: true };
  while (page.truncated) {
    page = await worker.bucket.list({ prefix: "service/db/sstable/", cursor: page.cursor });
    found.push(...page.objects.map(({ key }) => key.split("/").at(-1)));
  }
  return found.sort();
}

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
