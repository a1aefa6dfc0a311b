// The server that the other tests believe: what it sends when it is well, and each of its faults.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "./serve.mjs";

const folder = fileURLToPath(new URL("../fixtures/buckets/one-run/bucket/", import.meta.url));
const CURRENT = "/one/db/manifest/CURRENT";
let store;
before(async () => (store = await serve({ "/one/": folder })));
after(() => store.close());

const get = (headers = {}, path = CURRENT) => fetch(store.origin + path, { headers });

test("a range, a version and what is missing are answered as a store does", async () => {
  const whole = await get();
  assert.equal(whole.status, 200);
  const bytes = Buffer.from(await whole.arrayBuffer());
  const part = await get({ range: "bytes=2-9" });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get("content-range"), `bytes 2-9/${bytes.length}`);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(2, 10));
  assert.equal((await get({ range: `bytes=${bytes.length}-` })).status, 416);
  assert.equal((await get({ "if-none-match": whole.headers.get("etag") })).status, 304);
  const missing = await get({}, "/one/db/manifest/NONE");
  assert.equal(missing.status, 404);
  assert.match(await missing.text(), /<Code>NoSuchKey</);
  assert.equal((await get({}, "/one/..%2f..%2fREADME.md")).status, 404);
});

test("every request is in the log, preflights too", async () => {
  store.requests.length = 0;
  await fetch(store.origin + CURRENT, { method: "OPTIONS" });
  await get({ range: "bytes=0-0" });
  assert.deepEqual(
    store.requests.map(({ method, path, status, bytes }) => [method, path, status, bytes]),
    [
      ["OPTIONS", CURRENT, 204, 0],
      ["GET", CURRENT, 206, 1],
    ],
  );
});

test("faults change the answer where they are set, until it is healed", async () => {
  const well = Buffer.from(await (await get()).arrayBuffer());
  const with_ = async (fault, headers) => {
    store.heal();
    store.fault(/CURRENT$/, fault);
    return get(headers);
  };
  assert.equal((await with_({ cors: false })).headers.get("access-control-allow-origin"), null);
  assert.equal((await with_({ error: "denied" })).status, 403);
  assert.match(await (await with_({ error: "expired" })).text(), /Request has expired/);
  assert.match(await (await with_({ error: "region" })).text(), /<Region>eu-central-1</);
  assert.equal((await with_({ ranges: false }, { range: "bytes=0-1" })).status, 200);
  const wrong = Buffer.from(await (await with_({ corrupt: 5 })).arrayBuffer());
  assert.equal(wrong[5], well[5] ^ 1);
  assert.equal((await with_({ etag: false })).headers.get("etag"), null);
  assert.equal((await with_({ lastModified: new Date(0) })).headers.get("last-modified"), "Thu, 01 Jan 1970 00:00:00 GMT");
  await assert.rejects(with_({ hangUp: true }));
  const start = performance.now();
  await with_({ delayMs: 60 });
  assert.ok(performance.now() - start >= 59);
  store.heal();
  assert.deepEqual(Buffer.from(await (await get()).arrayBuffer()), well);
});
