// The page's content policy holds, and the watch over it sees what breaks it: else none of the other tests would show anything.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { www } from "./data.mjs";
import { openPage } from "./page.mjs";
import { serve } from "./serve.mjs";

let app, stranger;
before(async () => {
  app = await serve({ "/": www });
  stranger = await serve({ "/": www });
});
after(async () => {
  await app.close();
  await stranger.close();
});

/** What a script that got into the page might do; each runs in the page, and returns whether it worked. */
const ATTEMPTS = {
  "a script of its own": () => {
    const script = document.createElement("script");
    try {
      script.text = "globalThis.ran = true";
    } catch {}
    document.body.append(script);
    return globalThis.ran === true;
  },
  "a style of its own": () => {
    const style = document.createElement("style");
    style.textContent = "body { color: rgb(1, 2, 3) }";
    document.body.append(style);
    return getComputedStyle(document.body).color === "rgb(1, 2, 3)";
  },
  "a picture from elsewhere": async (origin) => {
    const image = new Image();
    const loaded = new Promise((resolve) => {
      image.onload = () => resolve(true);
      image.onerror = () => resolve(false);
    });
    image.src = `${origin}/icon.svg`;
    return loaded;
  },
  "a script from elsewhere": (origin) =>
    import(`${origin}/js/bytes.js`).then(
      () => true,
      () => false,
    ),
};

for (const name of ["chromium", "firefox"]) {
  test(`nothing of its own making runs in the page, in ${name}`, { skip: missing(name) }, async () => {
    for (const [what, attempt] of Object.entries(ATTEMPTS)) {
      const screen = await openPage(name, { app: app.origin });
      try {
        await screen.see("#start", /Look into/);
        await screen.check();
        assert.equal(await screen.page.evaluate(attempt, stranger.origin), false, what);
        await screen.until(() => globalThis.violations.length > 0);
        await assert.rejects(screen.check(), what);
      } finally {
        await screen.page.close();
      }
    }
    assert.deepEqual(stranger.requests, []);
  });

  test(`a request to a third party is seen, in ${name}`, { skip: missing(name) }, async () => {
    const screen = await openPage(name, { app: app.origin });
    await screen.see("#start", /Look into/);
    await screen.page.evaluate((url) => fetch(url), `${stranger.origin}/icon.svg`);
    await assert.rejects(screen.check(), /strangers/);
    await screen.page.close();
    stranger.requests.length = 0;
  });
}
