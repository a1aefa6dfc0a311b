// Each way in which a store can fail a page is provoked, and must say what it is and what to do.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { batch, buckets, isledb, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

const folder = scratch();
let app, store;
const skip = missing("chromium");
before(async () => {
  if (skip) return;
  // One table of some 2.5 MB: more than what is taken whole where a server knows no ranges.
  const rows = Array.from({ length: 5000 }, (_, i) => ({ op: "put", key: `row/${String(i).padStart(6, "0")}`, value: noise(i, 500) }));
  batch(`${folder}/large`, [...rows, { op: "flush" }]);
  app = await serve({ "/": www });
  store = await serve({ "/fixtures/": buckets, "/": folder });
});
after(async () => {
  await app?.close();
  await store?.close();
});

/** Text that does not compress, the same in every run. */
function noise(seed, length) {
  let state = seed * 2654435761 + 1;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += state.toString(36);
  }
  return text.slice(0, length);
}

/** Opens `path` at a store with this fault. */
async function on(name, path, where, fault, act) {
  store.heal();
  store.fault(where, fault);
  try {
    await withPage(name, { app: app.origin, stores: [store.origin], hash: `#url=${encodeURIComponent(store.origin + path)}` }, act);
  } finally {
    store.heal();
  }
}

const ONE = "/fixtures/one-run/bucket/db";
const AT_OPEN = [
  ["a bucket without CORS rules", { cors: false }, "CorsError", (text) => [text.includes(`"AllowedOrigins": ["${app.origin}"]`), /ExposeHeaders/.test(text)]],
  ["a refusal", { error: "denied" }, "PermissionError", (text) => [/isledb sign/.test(text)]],
  ["an expired signature", { error: "expired" }, "ExpiredSignatureError", (text) => [/expired/.test(text), /isledb sign --ttl/.test(text)]],
  ["a wrong region", { error: "region" }, "WrongRegionError", (text) => [/eu-central-1/.test(text)]],
];

for (const name of ["chromium", "firefox"]) {
  for (const [what, fault, error, says] of AT_OPEN) {
    test(`${what} is told from the others, with advice, in ${name}`, { skip: missing(name) }, async () => {
      await on(name, ONE, "/", fault, async (screen) => {
        const problem = await screen.problem();
        assert.equal(problem.name, error, problem.text);
        assert.deepEqual(says(problem.text).filter((right) => !right), [], problem.text);
        assert.match(problem.text, /CURRENT/);
        // Healed, the same page goes on.
        store.heal();
        await screen.clickText(".problem button", "Try again");
        await screen.opened();
        assert.equal(await screen.page.$(".problem"), null);
      });
    });
  }
}

test("where there is no database, the prefix is what to look at", { skip }, async () => {
  await on("chromium", "/fixtures/one-run/bucket/elsewhere", "/none", {}, async (screen) => {
    const { title, text } = await screen.problem();
    assert.equal(title, "There is no database here");
    assert.match(text, /prefix/);
  });
});

test("a store that hangs up is unavailable, not a matter of CORS", { skip }, async () => {
  await on("chromium", ONE, "/fixtures/", { hangUp: true }, async (screen) => {
    const { name, title } = await screen.problem();
    assert.match(name, /^(UnavailableError|TimeoutError)$/);
    assert.match(title, /cannot be reached|took too long/);
  });
});

test("a server without ranges is named when a table is large, and serves when it is small", { skip }, async () => {
  await on("chromium", `${ONE}`, "/", { ranges: false }, async (screen) => {
    await screen.opened();
    await screen.click("#tab-keys");
    await screen.see("#key-count", /200\+ keys/);
  });
  await on("chromium", "/large", "/", { ranges: false }, async (screen) => {
    await screen.opened();
    await screen.click("#tab-keys");
    const { name, text } = await screen.problem();
    assert.equal(name, "NoRangeSupportError");
    assert.match(text, /Range/);
    assert.match(text, /\.sst/);
  });
});

test("a damaged table is named with object and offset, and nothing of it is shown", { skip }, async () => {
  const stat = JSON.parse(isledb(["stat", `${folder}/large`, "--json"]));
  assert.equal(stat.tables, 1);
  await on("chromium", "/large", /\.sst$/, { corrupt: 100_000 }, async (screen) => {
    await screen.opened();
    await screen.click("#tab-keys");
    await screen.type("#seek", "row/000100");
    await screen.press("Enter");
    // Down to where the damage is.
    const { name, text } = await screen.until(() => {
      const list = document.querySelector("#key-list");
      list.scrollTo(0, list.scrollHeight);
      const one = document.querySelector(".problem");
      return one && { name: one.dataset.error, text: one.innerText };
    });
    assert.equal(name, "CorruptError", text);
    assert.match(text, /object large\/sstable\/\S+\.sst/);
    assert.match(text, /offset \d+/);
    assert.match(text, /isledb verify --deep/);
    store.heal();
    await screen.clickText(".problem button", "Try again");
    await screen.see("#key-count", /00\+ keys/);
  });
});

test("a damaged CURRENT opens nothing", { skip }, async () => {
  await on("chromium", ONE, /CURRENT$/, { corrupt: 0 }, async (screen) => {
    const { name, text } = await screen.problem();
    assert.equal(name, "CorruptError", text);
    assert.match(text, /manifest\/CURRENT/);
  });
});
