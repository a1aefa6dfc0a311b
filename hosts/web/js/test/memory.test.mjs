// What a pass of maintenance takes of WebAssembly's memory, which never shrinks: so it runs in a worker with an engine of its own.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** What a worker on Cloudflare has for everything. */
const LIMIT = 128 << 20;
const FLUSHES = 16;
const ROWS = 4_000;

const always = { condition: { kind: "none" } };

if (isMainThread) {
  test("a pass over 64 MiB of tables takes less than 128 MiB", async () => {
    const { Database, MemoryStore } = await import("isledb/full");
    const store = new MemoryStore();
    const writer = await (await Database.open({ store, prefix: "db" })).writer({ memtableBytes: 64 << 20 });
    const model = new Map();
    for (let flush = 0; flush < FLUSHES; flush += 1) {
      for (let row = 0; row < ROWS; row += 1) {
        // Every table has keys of all the others' ranges; nothing is to be gained by compression.
        const key = `key/${String((row * FLUSHES + flush * 7_919) % (ROWS * FLUSHES * 2)).padStart(6, "0")}`;
        const value = randomBytes(row % 100 === 0 ? 10_000 : 900);
        model.set(key, value);
        await writer.put(key, value);
      }
      await writer.flush();
    }
    await writer.close();

    const before = await objectsOf(store);
    const bytes = before.filter(([key]) => key.includes("/sstable/")).reduce((sum, [, body]) => sum + body.length, 0);
    assert.ok(bytes > 60 << 20, `${bytes} bytes of tables`);
    const { report, memory, objects } = await inWorker(before);
    console.log(`merged ${bytes >> 20} MiB of tables in ${memory >> 20} MiB of WebAssembly's memory`);
    assert.equal(report.overBudget, undefined);
    assert.deepEqual(report.merges.map(({ tablesRead }) => tablesRead), [FLUSHES]);
    assert.ok(memory < LIMIT, `${memory} bytes`);

    const merged = new MemoryStore();
    for (const [key, body] of objects) await merged.put(key, body, always);
    const reader = await (await Database.open({ store: merged, prefix: "db" })).reader();
    assert.deepEqual([reader.view().l0.length, reader.view().runs.length], [0, 1]);
    let shown = 0;
    for await (const page of reader.scan().pages()) {
      for (const { keyText, value } of page) assert.ok(Buffer.from(value).equals(model.get(keyText)), keyText);
      shown += page.length;
    }
    assert.equal(shown, model.size);
  });
} else {
  // Whoever makes an instance is asked for its memory. Node has small ones of its own.
  const instances = [];
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...given) => {
    const made = await instantiate(...given);
    instances.push(made.instance ?? made);
    return made;
  };
  const { Database, MemoryStore } = await import("isledb/full");
  const store = new MemoryStore();
  for (const [key, body] of workerData) await store.put(key, body, always);
  const db = await Database.open({ store, prefix: "db" });
  const maintenance = await db.maintenance({ owner: "cron" });
  const report = await maintenance.runOnce();
  await maintenance.close();
  const memory = Math.max(...instances.map(({ exports }) => exports.memory?.buffer.byteLength ?? 0));
  assert.ok(memory > 1 << 20, "the engine's instance is not among those that were seen");
  parentPort.postMessage({ report, memory, objects: await objectsOf(store) });
}

async function objectsOf(store) {
  const { objects } = await store.list("", {});
  return Promise.all(objects.map(async ({ key }) => [key, new Uint8Array((await store.get(key, {})).body)]));
}

function inWorker(objects) {
  return new Promise((done, failed) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: objects });
    worker.once("message", done);
    worker.once("error", failed);
  });
}
