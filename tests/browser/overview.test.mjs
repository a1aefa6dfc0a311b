// The first screen says what a database is made of, and the meter what that cost.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { buckets, expected, flights, isledb, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

const skip = missing("chromium");
let app, store, options;
const folder = scratch();
before(async () => {
  if (skip) return;
  flights(folder);
  app = await serve({ "/": www });
  store = await serve({ "/fixtures/": buckets, "/": folder });
  options = { app: app.origin, stores: [store.origin] };
});
after(async () => {
  await app?.close();
  await store?.close();
});
const hash = (path) => `#url=${encodeURIComponent(store.origin + path)}`;

test("the first screen has the figures of `isledb stat`", { skip }, async () => {
  const stat = JSON.parse(isledb(["stat", `${folder}/flights`, "--json"]));
  await withPage("chromium", { ...options, hash: hash("/flights") }, async (screen) => {
    await screen.opened();
    const figures = await screen.text(".figures");
    for (const figure of [stat.entries, stat.next_sequence]) assert.ok(figures.includes(figure.toLocaleString("en-US")), figures);
    assert.match(figures, new RegExp(`in ${stat.tables} tables`));
    assert.match(figures, /good for 1 h/);
    const owners = await screen.text(".columns");
    assert.ok(owners.includes(stat.writer.owner), owners);
    assert.ok(owners.includes(stat.maintenance.owner), owners);
    assert.match(owners, new RegExp(`from slot ${stat.feed_floor_seq} on`));
    assert.match(await screen.text(".levels"), new RegExp(`Level 0[^]*${stat.l0_tables} tables`));
    // The larger the table, the longer its bar.
    const shares = await screen.page.$$eval(".tables tbody .bar-of", (bars) => bars.map((bar) => bar.firstChild.offsetWidth / bar.offsetWidth));
    assert.equal(shares.length, stat.tables);
    assert.ok(Math.max(...shares) > 0.99 && Math.min(...shares) < 0.2, shares.join());
  });
});

test("runs and level 0 stand in the order of the manifest, with their tables", { skip }, async () => {
  const { l0, runs } = expected("everything");
  await withPage("chromium", { ...options, hash: hash("/fixtures/everything/bucket/db") }, async (screen) => {
    await screen.opened();
    assert.deepEqual(await screen.texts(".level-name"), ["Level 0", ...runs.map((run) => `Run ${run.id}`)]);
    const ids = [...l0, ...runs.flatMap((run) => run.ssts)].map((table) => table.id);
    assert.deepEqual(await screen.texts(".tables td.id"), ids);
    assert.match(await screen.text(".columns"), /writer\s+w2\s+2\s/);
    assert.match(await screen.text(".columns"), /retention-compactor/);
  });
});

for (const name of ["chromium", "firefox"]) {
  test(`the meter counts what the store was asked, preflights too, in ${name}`, { skip: missing(name) }, async () => {
    await withPage(name, { ...options, hash: hash("/flights") }, async (screen) => {
      // What the first page asks for must have been counted before the second one is.
      await screen.opened();
      store.requests.length = 0;
      await screen.page.reload();
      await screen.opened();
      await screen.click("#tab-keys");
      await screen.see("#key-list", /EWR/);
      await screen.click("#key-list [role=option]");
      await screen.see("#value-text", /"year": 2013/);
      await screen.click("#refresh");
      await screen.see("#announce", /Nothing is new/);
      await screen.until((gets) => document.querySelector(".meter-requests").textContent.startsWith(`${gets} `), asked("GET").length);
      assert.deepEqual(await screen.meter(), { requests: asked("GET").length, preflights: asked("OPTIONS").length });
      assert.ok(asked("OPTIONS").length > 0, "these requests need no preflights, so nothing was shown");
      assert.match(await screen.text("#meter"), /KiB read\s.*round trips\s/s);
      assert.match(await screen.text(".meter-cost"), /^\$0\.0000\d/);
    });
  });
}

const asked = (method) => store.requests.filter((request) => request.method === method);

test("a refresh shows what was committed meanwhile", { skip }, async () => {
  await withPage("chromium", { ...options, hash: hash("/flights") }, async (screen) => {
    await screen.opened();
    const before = Number((await screen.text(".figures b")).replaceAll(",", ""));
    isledb(["put", `${folder}/flights`, "notes/new", "one more"]);
    await screen.click("#refresh");
    await screen.see(".figures", new RegExp((before + 1).toLocaleString("en-US")));
    await screen.see("#announce", /new version/);
  });
});
