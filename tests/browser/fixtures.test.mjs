// The buckets that the original wrote, read by the package in a window and in a worker exactly as the original saw them.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { absent, buckets as names, whole } from "../../hosts/web/js/test/fixtures.mjs";
import { browser, missing } from "./browsers.mjs";
import { buckets, expected, www } from "./data.mjs";
import { serve } from "./serve.mjs";

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
        for (const bucket of which) assert.deepEqual(await read(page, place, bucket), whole(bucket), bucket);
      } finally {
        await page.close();
      }
    });
  }
}

async function read(page, place, bucket) {
  const url = `${store.origin}/${bucket}/bucket/${expected(bucket).prefix}`;
  const others = absent(bucket);
  if (place === "window") {
    const inPage = async (url, others) => {
      const [{ Reader }, { readAll }] = await Promise.all([import("/isledb/web.js"), import("/lab/read.js")]);
      return readAll(Reader, url, others);
    };
    return page.evaluate(inPage, url, others);
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
