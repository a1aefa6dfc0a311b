// The writer and maintenance, from JavaScript.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, Database, FencedError, InvalidArgumentError, MemoryStore, OverBudgetError } from "isledb/full";
import { serve } from "./server.mjs";

test("what is written is read, by the same engine and after a reopening", async () => {
  const store = new MemoryStore();
  const db = await Database.open({ store, prefix: "db" });
  const writer = await db.writer({ owner: "test" });
  assert.equal(await writer.put("greeting", "hello"), 1n);
  await writer.put("number", new Uint8Array([0, 255]));
  await writer.batch([{ key: "gone", value: "x" }, { key: "gone" }]);
  await writer.put("large", new Uint8Array(300_000).fill(9));
  assert.ok(writer.uncommittedBytes > 0);
  assert.equal(await writer.flush(), writer.lastSequence);
  assert.equal(writer.committedSequence, writer.lastSequence);
  await writer.close();
  await assert.rejects(writer.put("late", "x"), ClosedError);
  const again = await Database.open({ store, prefix: "db" });
  const reader = await again.reader();
  assert.equal(await reader.getText("greeting"), "hello");
  assert.deepEqual(await reader.get("number"), new Uint8Array([0, 255]));
  assert.equal(await reader.get("gone"), undefined);
  assert.equal((await reader.get("large")).length, 300_000);
  assert.equal((await reader.why("gone")).answer, "deleted");
  assert.match(reader.view().writer.owner, /^test/);
});

test("a value with a time to live goes", async () => {
  const db = await Database.open({ store: new MemoryStore() });
  const writer = await db.writer();
  await writer.put("short", "x", { ttlMs: 30 });
  await writer.put("long", "y", { ttlMs: 3_600_000 });
  await writer.flush();
  await new Promise((later) => setTimeout(later, 50));
  const reader = await db.reader();
  assert.equal(await reader.get("short"), undefined);
  const { expiresAtMs } = await reader.getEntry("long");
  assert.ok(Math.abs(expiresAtMs - Date.now() - 3_600_000) < 10_000);
});

test("a tail shows what is written meanwhile", async () => {
  const store = new MemoryStore();
  const db = await Database.open({ store });
  const writer = await db.writer();
  const reader = await db.reader();
  const tail = reader.tail({ from: "now", pollMs: 10 });
  const next = tail.next();
  await new Promise((later) => setTimeout(later, 20));
  await writer.put("new", "value");
  await writer.flush();
  const { value: change } = await next;
  assert.deepEqual([change.op, Buffer.from(change.key).toString(), Buffer.from(change.value).toString()], ["put", "new", "value"]);
  await tail.return();
});

test("a second writer fences the first", async () => {
  const store = new MemoryStore();
  const first = await (await Database.open({ store })).writer({ owner: "first" });
  await first.put("a", "1");
  await first.flush();
  const second = await (await Database.open({ store })).writer({ owner: "second" });
  await first.put("b", "2");
  await assert.rejects(first.flush(), FencedError);
  await second.put("c", "3");
  await second.flush();
  await assert.rejects((await Database.open({ store })).writer({ takeover: false }), FencedError);
});

test("run commits by time", async () => {
  const db = await Database.open({ store: new MemoryStore() });
  const writer = await db.writer({ flushIntervalMs: 20 });
  const stop = new AbortController();
  const running = writer.run({ signal: stop.signal });
  const sequence = await writer.put("key", "value");
  for (let waited = 0; writer.committedSequence < sequence && waited < 200; waited += 1) {
    await new Promise((later) => setTimeout(later, 10));
  }
  assert.equal(writer.committedSequence, sequence);
  stop.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
  await writer.close();
});

test("maintenance merges, from a handle of its own", async () => {
  const store = new MemoryStore();
  const writer = await (await Database.open({ store, prefix: "db" })).writer();
  for (let round = 0; round < 12; round += 1) {
    for (let key = 0; key < 20; key += 1) await writer.put(`key${key}`, `round ${round}`);
    await writer.flush();
  }
  const db = await Database.open({ store, prefix: "db" });
  const maintenance = await db.maintenance({ owner: "cron" });
  const report = await maintenance.runOnce({ everything: true });
  assert.ok(report.merges.length > 0);
  assert.ok(report.merges.every(({ tablesRead, entriesWritten }) => tablesRead > 0 && entriesWritten > 0));
  await maintenance.close();
  const reader = await db.reader();
  const view = reader.view();
  assert.deepEqual([view.l0.length, view.runs.length], [0, 1]);
  assert.equal(await reader.getText("key7"), "round 11");
  assert.equal((await reader.scan().toArray()).length, 20);
});

test("a merge that the budget does not hold is refused with what it needs", async () => {
  const db = await Database.open({ store: new MemoryStore() });
  const writer = await db.writer();
  for (let round = 0; round < 9; round += 1) {
    await writer.put("key", `round ${round}`);
    await writer.flush();
  }
  await writer.close();
  for (const [budget, what] of [
    [{ maxRequests: 10 }, "max_requests"],
    [{ maxMemoryBytes: 1000 }, "max_memory_bytes"],
  ]) {
    const small = await db.maintenance(budget);
    await assert.rejects(small.runOnce(), (error) => {
      assert.ok(error instanceof OverBudgetError, String(error));
      assert.equal(error.what, what);
      assert.ok(error.need > error.limit, `${error.need} of ${error.limit}`);
      return error.code === "over-budget" && error.hint !== "";
    });
    await small.close();
    assert.equal((await db.reader()).view().l0.length, 9);
  }
  const enough = await db.maintenance({ maxRequests: 100 });
  const { merges, overBudget } = await enough.runOnce();
  assert.deepEqual([merges.length, overBudget], [1, undefined]);
  await enough.close();
  assert.equal(await (await db.reader()).getText("key"), "round 8");
});

test("over plain HTTP the writer uses single PUTs", async () => {
  const server = await serve(new Map());
  const db = await Database.open(`${server.url}/db`, { probe: false });
  const writer = await db.writer();
  await writer.put("key", "value");
  await writer.flush();
  await writer.close();
  const methods = new Set(server.requests.map(({ method }) => method));
  assert.deepEqual([...methods].sort(), ["GET", "PUT"]);
  const reader = await db.reader();
  assert.equal(await reader.getText("key"), "value");
  assert.equal(db.cost().requests.put, server.requests.filter(({ method }) => method === "PUT").length);
  await server.stop();
});

test("wrong options are refused by name", async () => {
  const db = await Database.open({ store: new MemoryStore() });
  await assert.rejects(db.writer({ memtableBytes: 1 }), /memtable_size/);
  await assert.rejects(db.writer({ flushIntervalMs: 0.5 }), /flushIntervalMs/);
  await assert.rejects(db.maintenance({ l0Tables: 2 ** 40 }), InvalidArgumentError);
});
