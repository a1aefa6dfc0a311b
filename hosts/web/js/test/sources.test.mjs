// The sources that are more than a base URL.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { ExpiredError, InvalidArgumentError, MemoryStore, PermissionError, Reader, StoreError } from "isledb";
import { Database } from "isledb/full";
import { entriesOf, objectsOf, wanted } from "./fixtures.mjs";
import { serve } from "./server.mjs";

test("a callback signs each request", async () => {
  const server = await serve(new Map(objectsOf("everything")));
  const signed = [];
  const sign = async (method, path, query) => {
    signed.push([method, path, query]);
    return `${server.url}/${path}?signature=of-${method}`;
  };
  const reader = await Reader.open({ sign, prefix: "db" });
  assert.deepEqual(await entriesOf(reader), wanted("everything"));
  assert.equal(signed.length, server.requests.length);
  assert.deepEqual(signed[0], ["GET", "db/manifest/CURRENT", ""]);
  await server.stop();
});

/** Whether Amazon would take the URL: its signature is computed here by the description of presigned URLs. */
function signatureIsRight({ method, url, headers }, secret, region) {
  const { pathname, searchParams } = new URL(url, "http://x");
  const signature = searchParams.get("X-Amz-Signature");
  searchParams.delete("X-Amz-Signature");
  const strictly = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...searchParams].map(([name, value]) => `${strictly(name)}=${strictly(value)}`).sort();
  const canonical = [method, pathname, query.join("&"), `host:${headers.host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n");
  const date = searchParams.get("X-Amz-Date");
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
  const key = [region, "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${secret}`, date.slice(0, 8)));
  const text = ["AWS4-HMAC-SHA256", date, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  return searchParams.get("X-Amz-Credential") === `id/${scope}` && createHmac("sha256", key).update(text).digest("hex") === signature;
}

test("S3 credentials sign requests that a store can check", async () => {
  const objects = new Map(objectsOf("everything").map(([key, bytes]) => [`bucket/${key}`, bytes]));
  const checked = [];
  const server = await serve(objects, (request) => {
    checked.push(signatureIsRight(request, "secret", "eu-west-1"));
    return checked.at(-1) ? undefined : { status: 403, body: "<Code>SignatureDoesNotMatch</Code>" };
  });
  const s3 = { endpoint: server.url, bucket: "bucket", region: "eu-west-1", accessKeyId: "id", secretAccessKey: "secret" };
  const reader = await Reader.open({ s3, prefix: "db" });
  assert.deepEqual(await entriesOf(reader), wanted("everything"));
  assert.ok(checked.length > 3 && checked.every(Boolean));
  await assert.rejects(Reader.open({ s3: { ...s3, secretAccessKey: "other" }, prefix: "db" }), PermissionError);
  await server.stop();
});

/** The binding of a bucket as Cloudflare documents it, in memory. */
function r2() {
  const objects = new Map();
  let puts = 0;
  const object = (key, { bytes, etag }, body) => ({ key, size: bytes.length, etag, uploaded: new Date(0), ...(body && { body }) });
  return {
    objects,
    async get(key, { range, onlyIf } = {}) {
      const found = objects.get(key);
      if (!found) return null;
      if (onlyIf?.etagDoesNotMatch === found.etag) return object(key, found);
      const { offset = 0, length = found.bytes.length } = range ?? {};
      if (offset >= found.bytes.length && length > 0) throw new Error("get: The requested range is not satisfiable (10039)");
      return object(key, found, new Blob([found.bytes.subarray(offset, offset + length)]).stream());
    },
    async head(key) {
      return objects.has(key) ? object(key, objects.get(key)) : null;
    },
    async put(key, bytes, { onlyIf } = {}) {
      const present = objects.get(key);
      if (onlyIf?.etagDoesNotMatch === "*" && present) return null;
      if (onlyIf?.etagMatches && onlyIf.etagMatches !== present?.etag) return null;
      objects.set(key, { bytes: bytes.slice(), etag: `e${++puts}` });
      return object(key, objects.get(key));
    },
    async list({ prefix = "", startAfter = "" }) {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > startAfter).sort();
      return { objects: keys.slice(0, 1000).map((key) => object(key, objects.get(key))), truncated: keys.length > 1000 };
    },
    async delete(keys) {
      for (const key of keys) objects.delete(key);
    },
  };
}

test("a binding of R2 is read and written", async () => {
  const bucket = r2();
  const db = await Database.open({ r2: bucket, prefix: "db" });
  const writer = await db.writer();
  await writer.put("key", "value");
  await writer.put("large", new Uint8Array(400_000));
  await writer.flush();
  const reader = await Reader.open({ r2: bucket, prefix: "db" });
  assert.equal(await reader.getText("key"), "value");
  assert.equal((await reader.get("large")).length, 400_000);
  await writer.put("key", "newer");
  await writer.flush();
  assert.equal(await reader.refresh(), true);
  assert.equal(await reader.getText("key"), "newer");
  assert.equal(await reader.refresh(), false);
});

/** A ticket for everything in a served bucket. */
function ticketOf(server, objects, change = {}) {
  const current = objects.get("db/manifest/CURRENT");
  const relative = [...objects.keys()].filter((key) => /sstable|blobs|log|snapshots/.test(key)).map((key) => key.slice("db/".length));
  return {
    isledb_ticket: 1,
    prefix: "db",
    issued_at_ms: Date.now(),
    expires_at_ms: Date.now() + 60_000,
    current: { version: "etag-1", body_b64: current.toString("base64"), read_at_ms: Date.now() },
    max_view_age_ms: 600_000,
    range: {},
    objects: Object.fromEntries(relative.map((key) => [key, `${server.url}/db/${key}?signed=1`])),
    ...change,
  };
}

test("a ticket is read without asking for CURRENT", async () => {
  const objects = new Map(objectsOf("everything"));
  const server = await serve(objects);
  const ticket = ticketOf(server, objects);
  for (const form of [ticket, JSON.stringify(ticket)]) {
    const before = server.requests.length;
    const reader = await Reader.open({ ticket: form });
    assert.deepEqual(await entriesOf(reader), wanted("everything"));
    assert.equal(await reader.refresh(), false);
    assert.equal(server.requests.length - before, reader.stats().requests.get);
  }
  assert.ok(server.requests.every(({ key }) => !key.endsWith("CURRENT")));
  objects.set("ticket.json", Buffer.from(JSON.stringify(ticket)));
  const reader = await Reader.open({ ticket: new URL(`${server.url}/ticket.json`) });
  assert.deepEqual(await entriesOf(reader), wanted("everything"));
  await server.stop();
});

test("a ticket that does not have an object, one that is too old, and one that is none", async () => {
  const objects = new Map(objectsOf("flush-snappy-default"));
  const server = await serve(objects);
  const ticket = ticketOf(server, objects);
  const poor = { ...ticket, objects: Object.fromEntries(Object.entries(ticket.objects).filter(([key]) => !key.includes("sstable"))) };
  const reader = await Reader.open({ ticket: poor });
  await assert.rejects(reader.scan().toArray(), (error) => {
    assert.ok(error instanceof PermissionError, String(error));
    assert.match(error.message, /not in this ticket/);
    return true;
  });
  const now = Date.now();
  const old = { ...ticket, issued_at_ms: now - 10_000, expires_at_ms: now - 1, current: { ...ticket.current, read_at_ms: now - 10_000 } };
  await assert.rejects(Reader.open({ ticket: old }), ExpiredError);
  const short = await Reader.open({ ticket: { ...ticket, expires_at_ms: Date.now() + 150 } });
  await new Promise((later) => setTimeout(later, 200));
  await assert.rejects(short.refresh(), ExpiredError);
  await assert.rejects(Reader.open({ ticket: "{}" }), { code: "corrupt" });
  await assert.rejects(Reader.open({ ticket: "not a ticket" }), { code: "corrupt" });
  await server.stop();
});

test("a ticket that follows goes on by URLs from the signer", async () => {
  const store = new MemoryStore();
  const writer = await (await Database.open({ store, prefix: "db" })).writer();
  await writer.put("key", "old");
  await writer.flush();
  const objects = new Map();
  const copy = async () => {
    const { objects: listed } = await store.list("");
    for (const { key } of listed) objects.set(key, Buffer.from((await store.get(key, {})).body));
  };
  await copy();
  const server = await serve(objects);
  const asked = [];
  const signer = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const { requests } = JSON.parse(Buffer.concat(pieces));
    asked.push([request.url, request.headers.authorization, requests[0].path]);
    if (request.headers.authorization !== "Bearer token") return response.writeHead(401).end("{}");
    const urls = requests.map(({ path }) => ({ url: `${server.url}/${path}`, expires_at_ms: Date.now() + 60_000 }));
    response.end(JSON.stringify({ urls }));
  });
  await new Promise((ready) => signer.listen(0, "127.0.0.1", ready));
  signer.unref();
  const follow = { current: `${server.url}/db/manifest/CURRENT`, signer: `http://127.0.0.1:${signer.address().port}` };
  const ticket = ticketOf(server, objects, { follow, max_view_age_ms: 3_600_000 });
  const reader = await Reader.open({ ticket, follow: { token: "token" } });
  const stranger = await Reader.open({ ticket, follow: { token: "other" } });
  const holder = await Reader.open({ ticket });
  await writer.put("key", "new");
  await writer.flush();
  await copy();
  assert.equal(await reader.refresh(), true);
  assert.equal(await reader.getText("key"), "new");
  assert.ok(asked.length > 0 && asked.every(([url, , path]) => url === "/v1/sign" && path.startsWith("db/")));
  await stranger.refresh();
  await assert.rejects(stranger.getText("key"), PermissionError);
  assert.equal(await holder.refresh(), false);
  assert.equal(await holder.getText("key"), "old");
  signer.close();
  await server.stop();
});

test("files hold one database, or the caller says which", async () => {
  const file = (name) => new File(["{}"], name);
  await assert.rejects(Reader.open({ files: [file("a/manifest/CURRENT"), file("b/manifest/CURRENT")] }), InvalidArgumentError);
});

test("a persistent cache keeps tables and nothing that changes, and a damaged entry is a miss", async () => {
  const kept = new Map();
  const cache = { get: async (name) => kept.get(name), put: async (name, bytes) => void kept.set(name, bytes) };
  const server = await serve(new Map(objectsOf("everything")));
  const read = async () => {
    const reader = await Reader.open(`${server.url}/db`, { cache });
    assert.deepEqual(await entriesOf(reader), wanted("everything"));
    return reader.stats();
  };
  const first = await read();
  assert.ok(kept.size > 0);
  assert.ok([...kept.keys()].every((name) => name.includes("/sstable/") || name.includes("/blobs/")));
  const second = await read();
  assert.ok(second.requests.get < first.requests.get);
  assert.equal(second.persistent.hits, kept.size);
  for (const [name, bytes] of kept) kept.set(name, Uint8Array.from(bytes).fill(1, 9, 12));
  const third = await read();
  assert.equal(third.persistent.damaged, kept.size);
  assert.equal(third.requests.get, first.requests.get);
  const broken = { get: async () => { throw new Error("no disk"); }, put: async () => { throw new Error("no disk"); } };
  const reader = await Reader.open(`${server.url}/db`, { cache: broken });
  assert.deepEqual(await entriesOf(reader), wanted("everything"));
  await server.stop();
});

test("a store in memory decides conditions", async () => {
  const store = new MemoryStore();
  const body = new Uint8Array(1);
  const { version } = await store.put("k", body, { condition: { kind: "if-absent" } });
  await assert.rejects(store.put("k", body, { condition: { kind: "if-absent" } }), StoreError);
  await store.put("k", body, { condition: { kind: "if-match", version } });
  await assert.rejects(store.put("k", body, { condition: { kind: "if-match", version } }), { code: "precondition" });
});
