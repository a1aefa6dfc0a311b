// Browsers answer by guessed freshness where a store says nothing of caching, as S3 does: an object that has not changed for a
// year is good for weeks. A changed CURRENT must be seen at once all the same.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { batch, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

const folder = scratch();
const YEAR_MS = 365 * 86_400_000;
let app, store;
before(async () => {
  if (missing("chromium")) return;
  app = await serve({ "/": www });
  store = await serve({ "/": folder });
  store.fault("/", { lastModified: new Date(Date.now() - YEAR_MS) });
});
after(async () => {
  await app?.close();
  await store?.close();
});

for (const name of ["chromium", "firefox"]) {
  test(`a changed CURRENT is seen at once, in ${name}`, { skip: missing(name) }, async () => {
    const commit = (value) => batch(`${folder}/${name}`, [{ op: "put", key: "k", value }, { op: "flush" }]);
    commit("old");
    const address = `${store.origin}/${name}`;
    await withPage(name, { app: app.origin, stores: [store.origin], hash: `#url=${address}&tab=keys&key=k` }, async (screen) => {
      await screen.see("#value-text", /^old$/);
      // This browser does guess, else the test shows nothing: a plain GET of the same object is not repeated.
      const plain = `${address}/manifest/CURRENT?plain`;
      const asked = () => store.requests.filter(({ path }) => path.endsWith("CURRENT")).length;
      await screen.page.evaluate((url) => fetch(url).then((answer) => answer.text()), plain);
      const before = asked();
      await screen.page.evaluate((url) => fetch(url).then((answer) => answer.text()), plain);
      assert.equal(asked(), before, "this browser asks again by itself");

      commit("new");
      await screen.click("#refresh");
      await screen.see("#announce", /new version/);
      await screen.type("#seek", "k");
      await screen.click("#go-get");
      await screen.see("#value-text", /^new$/);
      assert.ok(asked() > before);

      // And by who opens it anew in the same browser.
      commit("newest");
      await screen.page.reload();
      await screen.see("#value-text", /^newest$/);
    });
  });
}
