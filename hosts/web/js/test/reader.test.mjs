// What a reader does, and what it costs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, InvalidArgumentError, MemoryStore, Reader } from "isledb";
import { filesOf, objectsOf } from "./fixtures.mjs";
import { serve } from "./server.mjs";

async function served(name, fault) {
  const objects = new Map(objectsOf(name));
  const server = await serve(objects, fault);
  return { ...server, objects };
}

test("open and get cost at most six GETs and nothing else", async () => {
  for (const [name, key] of [["flush-snappy-default", "key000250"], ["two-level-snappy", "key000250"], ["everything", "key00007"]]) {
    const server = await served(name);
    const reader = await Reader.open(`${server.url}/db`);
    await reader.get(key);
    const { requests, roundTrips } = reader.stats();
    assert.ok(requests.get <= (name === "everything" ? 21 : 6), `${name}: ${requests.get} GETs`);
    assert.ok(roundTrips <= 6, `${name}: ${roundTrips} round trips`);
    assert.deepEqual({ ...requests, get: 0 }, { get: 0, head: 0, put: 0, list: 0, delete: 0, preflight: 0 });
    assert.equal(server.requests.length, requests.get, "the meter counts what the server saw");
    await server.stop();
  }
});

test("a warm get costs nothing, a refresh one conditional GET", async () => {
  const server = await served("flush-snappy-default");
  const reader = await Reader.open(`${server.url}/db`);
  const [{ key, value }] = await reader.scan({ limit: 1 }).toArray();
  assert.deepEqual(Buffer.from(await reader.get(key)), Buffer.from(value));
  const before = server.requests.length;
  await reader.get(key);
  assert.equal(server.requests.length, before);
  assert.equal(await reader.refresh(), false);
  const [request] = server.requests.slice(before);
  assert.equal(server.requests.length, before + 1);
  assert.ok(request.headers["if-none-match"]);
  assert.match(request.headers["cache-control"] ?? "", /no-cache/, "no cache on the way may answer");
  await server.stop();
});

test("a database that does not exist reads as empty", async () => {
  const reader = await Reader.open({ store: new MemoryStore(), prefix: "nothing" });
  assert.equal(reader.view().exists, false);
  assert.equal(await reader.get("key"), undefined);
  assert.deepEqual(await reader.scan().toArray(), []);
});

test("ranges, limits and keys only", async () => {
  const reader = await Reader.open({ files: filesOf("flush-snappy-default") });
  const all = await reader.scan().toArray();
  const [from, to] = [all[10].keyText, all[20].keyText];
  const keys = async (options) => (await reader.scan(options).toArray()).map(({ keyText }) => keyText);
  const names = all.map(({ keyText }) => keyText);
  assert.deepEqual(await keys({ start: from, end: to }), names.slice(10, 20));
  assert.deepEqual(await keys({ start: from, end: to, reverse: true }), names.slice(10, 20).reverse());
  assert.deepEqual(await keys({ limit: 3 }), names.slice(0, 3));
  assert.deepEqual(await keys({ prefix: from }), names.filter((name) => name.startsWith(from)));
  const [entry] = await reader.scan({ keysOnly: true, limit: 1 }).toArray();
  assert.equal(entry.value.length, 0);
});

test("entries come one by one, and a broken loop frees the scan", async () => {
  const reader = await Reader.open({ files: filesOf("flush-snappy-default") });
  const scan = reader.scan();
  const seen = [];
  for await (const { keyText } of scan) {
    seen.push(keyText);
    if (seen.length === 5) break;
  }
  assert.equal(seen.length, 5);
  assert.deepEqual(await scan.next(), { done: true, value: undefined });
  const many = reader.scan();
  const results = await Promise.all([many.next(), many.next(), many.next()]);
  assert.deepEqual(results.map(({ value }) => value.keyText), seen.slice(0, 3));
  await many.return();
});

test("getEntry, getStream and why", async () => {
  const reader = await Reader.open({ files: filesOf("blobs-default") });
  const [entry] = (await reader.scan().toArray()).sort((a, b) => b.value.length - a.value.length);
  const found = await reader.getEntry(entry.key);
  assert.equal(typeof found.sequence, "bigint");
  assert.deepEqual(found.value, entry.value.slice());
  const { size, body } = await reader.getStream(entry.key);
  const bytes = new Uint8Array(await new Response(body).arrayBuffer());
  assert.equal(size, entry.value.length);
  assert.deepEqual(bytes, entry.value.slice());
  assert.equal(await reader.getStream("no such key"), undefined);
  const why = await reader.why(entry.key);
  assert.equal(why.answer, "value");
  assert.equal(why.sources.filter(({ winner }) => winner).length, 1);
});

test("view and stats say what there is", async () => {
  const reader = await Reader.open({ files: filesOf("several-runs-and-l0") });
  const view = reader.view();
  assert.equal(view.prefix, "db");
  assert.equal(view.tables, view.l0.length + view.runs.reduce((sum, run) => sum + run.tables.length, 0));
  assert.equal(typeof view.nextSequence, "bigint");
  assert.ok(view.l0[0].minKey instanceof Uint8Array);
  assert.ok(view.bytes > 0 && view.expiresInMs > 0);
  await reader.scan().toArray();
  const { cache, bytesRead } = reader.stats();
  assert.ok(cache.entries > 0 && bytesRead > 0);
});

test("a call is given up with its signal, and its request with it", async () => {
  const server = await served("flush-snappy-default", ({ key }) => (key.includes("sstable") ? "hang" : undefined));
  const reader = await Reader.open(`${server.url}/db`);
  const signal = AbortSignal.timeout(50);
  await assert.rejects(reader.get("key000001", { signal }), { name: "TimeoutError" });
  const controller = new AbortController();
  const scan = reader.scan({ signal: controller.signal });
  const next = scan.next();
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await assert.rejects(next, /enough/);
  await assert.rejects(reader.get("key", { signal: AbortSignal.abort(new Error("too late")) }), /too late/);
  await server.stop();
});

test("the tail follows what is kept, and ends when it is told to", async () => {
  const reader = await Reader.open({ files: filesOf("l0-many") });
  const changes = [];
  const tail = reader.tail({ from: "begin", pollMs: 10 });
  for await (const change of tail) {
    changes.push(change);
    if (changes.length === 20) break;
  }
  assert.ok(changes.every(({ sequence }, at) => at === 0 || sequence > changes[at - 1].sequence));
  const behind = reader.tail({ from: changes[9].cursor, pollMs: 10 });
  assert.deepEqual((await behind.next()).value, changes[10]);
  await behind.return();
  const waiting = reader.tail({ pollMs: 10 });
  const next = waiting.next();
  setTimeout(() => waiting.return(), 30);
  assert.deepEqual(await next, { done: true, value: undefined });
});

test("a scope reads what the reader has, and outlives nothing", async () => {
  const server = await served("flush-snappy-default");
  const reader = await Reader.open(`${server.url}/db`);
  const [{ key, value }] = await reader.scan({ limit: 1 }).toArray();
  const before = server.requests.length;
  {
    const scope = reader.scoped();
    assert.deepEqual(await scope.get(key), value.slice());
    scope[Symbol.dispose]();
    assert.throws(() => scope.view(), ClosedError);
  }
  assert.equal(server.requests.length, before);
  assert.deepEqual(await reader.get(key), value.slice());
  reader.close();
  await assert.rejects(reader.get(key), ClosedError);
  await server.stop();
});

test("wrong arguments are refused by name", async () => {
  const files = filesOf("flush-snappy-default");
  const reader = await Reader.open({ files });
  await assert.rejects(reader.get(7), InvalidArgumentError);
  await assert.rejects(reader.get(""), InvalidArgumentError);
  await assert.rejects(reader.scan({ limit: -1 }).next(), /limit/);
  await assert.rejects(reader.tail({ from: "yesterday" }).next(), InvalidArgumentError);
  for (const [options, name] of [
    [{ cacheBytes: 2 ** 50 }, /cache_bytes/],
    [{ refreshAfterMs: 1.5 }, /refreshAfterMs/],
    [{ readAheadBytes: 1 }, /read_ahead_bytes/],
    [{ timeoutMs: 0 }, /deadline_ms/],
    [{ cache: "floppy" }, /cache/],
  ]) {
    await assert.rejects(Reader.open({ files }, options), name);
  }
  for (const source of [7, {}, "ftp://host/db", { store: {} }, { s3: { bucket: "b" } }]) {
    await assert.rejects(Reader.open(source), InvalidArgumentError);
  }
});
