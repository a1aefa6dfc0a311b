// The buckets that the original wrote, read by the package in a window and in a worker exactly as the original saw them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { browser, missing } from "./browsers.mjs";
import { buckets, expected, www } from "./data.mjs";
import { serve } from "./serve.mjs";

const names = readdirSync(buckets, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
/** Those that Firefox reads too: every codec, blobs, runs, snapshots, prefixes. */
const SOME = ["everything", "flush-zstd", "flush-snappy-default", "blobs-default", "snapshot-tail", "prefix-empty", "edge-keys"];

let app, store;
before(async () => {
  if (missing("chromium")) return;
  app = await serve({ "/": www, "/lab/": fileURLToPath(new URL("lab/", import.meta.url)) });
  store = await serve({ "/": buckets });
});
after(async () => {
  await app?.close();
  await store?.close();
});

for (const [name, which] of [["chromium", names], ["firefox", SOME]]) {
  for (const place of ["window", "worker"]) {
    test(`${which.length} buckets in a ${place} of ${name}`, { skip: missing(name) }, async () => {
      assert.ok(which.length >= SOME.length && (name === "firefox" || names.length === 44), `${names.length} buckets`);
      const page = await (await browser(name)).newPage();
      await page.goto(`${app.origin}/lab/index.html`);
      try {
        for (const bucket of which) assert.deepEqual(await read(page, place, bucket), wanted(bucket), bucket);
      } finally {
        await page.close();
      }
    });
  }
}

/** The keys of the script that the original's reader did not find. */
function absent(bucket) {
  const live = new Set(entriesOf(bucket).map(({ key }) => key));
  const script = readFileSync(join(buckets, bucket, "ops.ndjson"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  return [...new Set(script.filter(({ key }) => key).map(({ key }) => key))].filter((key) => !live.has(key));
}

/** In `orphan-equal-seq` the original's Get is right and its Scan is not, see the README of the buckets. */
function entriesOf(bucket) {
  const { entries, get_mismatches: mismatches } = expected(bucket);
  const hidden = new Set(bucket === "orphan-equal-seq" ? mismatches.map(({ key }) => key) : []);
  return entries.filter(({ key }) => !hidden.has(key)).map(({ key, len, sha256 }) => ({ key, len, sha256 }));
}

function wanted(bucket) {
  const { l0, runs } = expected(bucket);
  const entries = entriesOf(bucket);
  return {
    entries,
    got: entries.map(({ sha256 }) => sha256),
    found: [],
    l0: l0.map(({ id }) => id),
    runs: runs.map(({ id, ssts }) => ({ id, ssts: ssts.map((table) => table.id) })),
  };
}

async function read(page, place, bucket) {
  const url = `${store.origin}/${bucket}/bucket/${expected(bucket).prefix}`;
  // A key that a writer refused may be longer than a get takes.
  const others = absent(bucket).filter((key) => key.length < 80_000);
  if (place === "window") {
    return page.evaluate(async (url, others) => (await import("/lab/read.js")).readAll(url, others), url, others);
  }
  const { read: got, failed } = await page.evaluate(
    (url, others) =>
      new Promise((resolve, reject) => {
        globalThis.worker ??= new Worker("/lab/worker.js", { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage({ url, others });
      }),
    url,
    others,
  );
  assert.equal(failed, undefined);
  return got;
}
