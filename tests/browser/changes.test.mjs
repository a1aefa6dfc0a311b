// The live tail: what a writer commits elsewhere appears, a bounded number of rows, from where one chooses.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { batch, flights, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

const folder = scratch();
let app, store;
const skip = missing("chromium");
before(async () => {
  if (skip) return;
  flights(folder);
  app = await serve({ "/": www });
  store = await serve({ "/": folder });
});
after(async () => {
  await app?.close();
  await store?.close();
});
const on = (name, act) =>
  withPage(name, { app: app.origin, stores: [store.origin], hash: `#url=${encodeURIComponent(`${store.origin}/flights`)}&tab=changes` }, act);

for (const name of ["chromium", "firefox"]) {
  test(`puts and deletes appear as they are committed, in ${name}`, { skip: missing(name) }, async () => {
    await on(name, async (screen) => {
      await screen.see("#tail-rows", /Changes appear here/);
      await screen.tailing(store, () => screen.click("#follow-toggle"));
      batch(`${folder}/flights`, [{ op: "put", key: `live/${name}`, value: "first" }, { op: "del", key: "live/other" }, { op: "flush" }]);
      await screen.see("#tail-rows", new RegExp(`live/${name}`));
      const rows = await screen.texts("#tail-rows tbody tr");
      assert.match(rows[0], /delete\s+live\/other/);
      assert.match(rows[1], new RegExp(`put\\s+live/${name}\\s+first`));
      await screen.see("#tail-status", /2 changes/);
      await screen.click("#follow-toggle");
      await screen.see("#follow-toggle", /Start/);
      // A key of a change leads to its value.
      await screen.clickText("#tail-rows .link", `live/${name}`);
      await screen.see("#value-text", /first/);
    });
  });
}

test("from the oldest change on, the last 500 are kept, and a prefix chooses", { skip }, async () => {
  await on("chromium", async (screen) => {
    await screen.page.select("#from", "begin");
    await screen.click("#follow-toggle");
    await screen.see("#tail-status", /27,0\d\d changes, the last 500 are shown/);
    assert.equal((await screen.page.$$("#tail-rows tbody tr")).length, 500);
    await screen.click("#follow-toggle");
    await screen.type("#tail-prefix", "notes/");
    await screen.click("#follow-toggle");
    await screen.see("#tail-status", /^\s*[78] changes/);
    assert.match((await screen.texts("#tail-rows tbody tr")).join("\n"), /delete\s+notes\/gone/);
  });
});

test("a cursor goes on where it was; one that is none is refused with advice", { skip }, async () => {
  await on("chromium", async (screen) => {
    await screen.page.select("#from", "cursor");
    await screen.type("#cursor", "nonsense");
    await screen.click("#follow-toggle");
    assert.match((await screen.problem()).text, /cursor/i);
    await screen.see("#follow-toggle", /Start/);
  });
});
