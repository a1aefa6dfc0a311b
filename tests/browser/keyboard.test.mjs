// The whole page by the keyboard alone: no pointer is used here.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { batch, flights, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

const folder = scratch();
let app, store;
before(async () => {
  if (missing("chromium")) return;
  flights(folder);
  app = await serve({ "/": www });
  store = await serve({ "/": folder });
});
after(async () => {
  await app?.close();
  await store?.close();
});

for (const name of ["chromium", "firefox"]) {
  test(`opening, listing, reading, explaining and following, in ${name}`, { skip: missing(name) }, async () => {
    await withPage(name, { app: app.origin, stores: [store.origin] }, async (screen) => {
      const { page } = screen;
      await screen.until(() => document.activeElement.id === "url");
      await page.keyboard.type(`${store.origin}/flights`);
      await screen.press("Enter");
      await screen.opened();
      assert.equal(await screen.focus(), "tab-overview");

      await screen.press("ArrowRight");
      assert.equal(await screen.focus(), "tab-keys");
      await screen.see("#key-count", /200\+/);
      await screen.press("/");
      assert.equal(await screen.focus(), "prefix");
      await page.keyboard.type("JFK/01-03/");
      await screen.press("Enter");
      await screen.until(() => document.querySelector("#key-list [role=option]")?.innerText.startsWith("JFK/01-03/"));
      // Key, its two buttons, then the list: one stop.
      await screen.press("Tab");
      assert.equal(await screen.focus(), "seek");
      await screen.press("Tab", "Tab", "Tab");
      const first = await screen.focus();
      assert.match(first, /^option JFK\/01-03\//);
      await screen.press("ArrowDown", "ArrowDown", "ArrowUp");
      const second = await screen.focus();
      assert.notEqual(second, first);
      assert.ok(await visibleFocus(page), "the focus is not seen");
      await screen.press("End");
      const last = await screen.focus();
      await screen.press("Home");
      assert.equal(await screen.focus(), first);
      assert.notEqual(last, second);

      await screen.press("ArrowDown", "Enter");
      await screen.see("#value-text", /"origin": "JFK"/);
      assert.equal(await screen.focus(), "value");
      // JSON, then the arrows to Hex.
      await tabTo(screen, /^tab JSON/);
      await screen.press("ArrowLeft");
      assert.equal(await screen.focus(), "tab Hex");
      await screen.see("#value-text", /^000000 /);
      await tabTo(screen, /^summary Why/);
      await screen.press("Enter");
      await screen.see(".verdict", /returns version/);
      await screen.press("Escape");
      assert.equal(await screen.focus(), second);

      await tabTo(screen, /^tab-keys$/, true);
      await screen.press("ArrowRight");
      assert.equal(await screen.focus(), "tab-changes");
      await tabTo(screen, /^follow-toggle$/);
      await screen.tailing(store, () => screen.press("Enter"));
      batch(`${folder}/flights`, [{ op: "put", key: `keyboard/${name}`, value: "typed" }, { op: "flush" }]);
      await screen.see("#tail-rows", new RegExp(`keyboard/${name}`));
      await screen.press("Enter");
      await screen.see("#follow-toggle", /Start/);
    });
  });
}

/** Presses Tab until what has the focus matches. */
async function tabTo(screen, pattern, backwards = false) {
  const passed = [];
  for (let presses = 0; presses < 25; presses++) {
    if (backwards) await screen.page.keyboard.down("Shift");
    await screen.press("Tab");
    if (backwards) await screen.page.keyboard.up("Shift");
    const now = await screen.focus();
    if (pattern.test(now)) return;
    passed.push(now);
  }
  assert.fail(`${pattern} is not reached by Tab; passed ${passed.join(" | ")}`);
}

const visibleFocus = (page) =>
  page.evaluate(() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  });
