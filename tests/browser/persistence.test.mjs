// What a browser keeps: a folder that the package reads and writes, and the caches that outlive a page.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { absent, objectsOf, whole } from "../../hosts/web/js/test/fixtures.mjs";
import { browser, missing } from "./browsers.mjs";
import { buckets, www } from "./data.mjs";
import { serve } from "./serve.mjs";

const skip = missing("chromium");
let app, store, page;
before(async () => {
  if (skip) return;
  app = await serve({ "/": www, "/lab/": fileURLToPath(new URL("lab/", import.meta.url)) });
  store = await serve({ "/": buckets });
  page = await (await browser("chromium")).newPage();
  await page.goto(`${app.origin}/lab/index.html`);
});
after(async () => {
  await app?.close();
  await store?.close();
});

test("a folder handle, as a person chooses one", { skip }, async () => {
  const objects = objectsOf("everything").map(([key, bytes]) => [key, bytes.toString("base64")]);
  const read = async (objects, others) => {
    // The private folder of the page gives handles of the same kind, and asks nobody.
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("chosen", { create: true });
    for (const [key, base64] of objects) {
      const path = key.split("/");
      let at = folder;
      for (const name of path.slice(0, -1)) at = await at.getDirectoryHandle(name, { create: true });
      const file = await (await at.getFileHandle(path.at(-1), { create: true })).createWritable();
      await file.write(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
      await file.close();
    }
    const [{ Reader }, { readAll }] = await Promise.all([import("/isledb/web.js"), import("/lab/read.js")]);
    return readAll(Reader, { folder, prefix: "db" }, others);
  };
  assert.deepEqual(await page.evaluate(read, objects, absent("everything")), whole("everything"));
});

for (const cache of ["cache-api", "opfs"]) {
  test(`${cache} keeps tables for the next page, and what was damaged there is read again`, { skip }, async () => {
    const url = `${store.origin}/everything/bucket/db`;
    const read = async (url, cache) => {
      const { Reader } = await import("/isledb/web.js");
      const reader = await Reader.open(url, { cache });
      const entries = await reader.scan().toArray();
      const { requests, persistent } = reader.stats();
      reader[Symbol.dispose]();
      return { entries: entries.length, gets: requests.get, persistent };
    };
    const entries = whole("everything").entries.length;
    const cold = await page.evaluate(read, url, cache);
    assert.equal(cold.entries, entries);
    assert.equal(cold.persistent.hits, 0);
    // What it keeps is written behind the reader's back.
    let warm;
    for (const end = Date.now() + 30_000; ; ) {
      await page.reload();
      warm = await page.evaluate(read, url, cache);
      assert.equal(warm.entries, entries);
      if (warm.persistent.misses === 0) break;
      assert.ok(Date.now() < end, `the cache of the last page is not there: ${JSON.stringify(warm)}`);
    }
    assert.equal(warm.persistent.hits, cold.persistent.misses);
    assert.equal(warm.gets, cold.gets - cold.persistent.misses, "no request for what is kept");

    await page.evaluate(async (cache) => {
      if (cache === "opfs") {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("isledb");
        for await (const file of folder.values()) {
          const writable = await file.createWritable({ keepExistingData: true });
          await writable.write({ type: "write", position: 20, data: new Uint8Array([1, 2, 3, 4]) });
          await writable.close();
        }
      } else {
        const kept = await caches.open("isledb");
        for (const request of await kept.keys()) {
          const bytes = new Uint8Array(await (await kept.match(request)).arrayBuffer());
          bytes.set([1, 2, 3, 4], 20);
          await kept.put(request, new Response(bytes));
        }
      }
    }, cache);
    const damaged = await page.evaluate(read, url, cache);
    assert.deepEqual([damaged.entries, damaged.persistent.damaged], [entries, cold.persistent.misses]);
  });
}
