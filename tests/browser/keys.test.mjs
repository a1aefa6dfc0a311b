// Keys and values: prefix, seek, pages as one scrolls, every way to show a value, its download, and why it is what it is.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { BINARY, CORRECTED, flights, LONG, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

const skip = missing("chromium");
let app, store;
const folder = scratch();
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

/** Runs `act` on the flights, at what `at` adds to the address. */
const on = (at, act) =>
  withPage("chromium", { app: app.origin, stores: [store.origin], hash: `#url=${encodeURIComponent(`${store.origin}/flights`)}${at}` }, act);
/** All of them: `innerText` of one that is scrolled out of sight is empty. */
const listed = (screen) => screen.page.$$eval("#key-list [role=option]", (all) => all.map((one) => one.textContent));

test("keys come a page at a time, and more as one scrolls", { skip }, async () => {
  await on("&tab=keys", async (screen) => {
    await screen.see("#key-count", /^200\+ keys/);
    assert.equal((await listed(screen))[0], "EWR/01-01/AA0119");
    const gets = store.requests.length;
    await screen.page.$eval("#key-list", (list) => list.scrollTo(0, list.scrollHeight));
    await screen.see("#key-count", /^400\+ keys/);
    const keys = await listed(screen);
    assert.deepEqual(keys, [...keys].sort());
    // The bound on what is read ahead: two pages are not the whole database.
    assert.ok(store.requests.length - gets < 20);
  });
});

test("a prefix and a key to begin at narrow the list, also by the address", { skip }, async () => {
  await on("&tab=keys&prefix=JFK%2F01-02%2F", async (screen) => {
    await screen.see("#key-count", /keys/);
    assert.ok((await listed(screen)).every((key) => key.startsWith("JFK/01-02/")));
    await screen.type("#prefix", "notes/");
    await screen.press("Enter");
    await screen.see("#key-count", /^[67] keys$/);
    assert.ok((await listed(screen)).includes("notes/\\xff\\x00key"));
    assert.match(await screen.page.evaluate(() => location.hash), /prefix=notes%2F/);
    await screen.type("#seek", "notes/f");
    await screen.press("Enter");
    await screen.until(() => document.querySelector("#key-list [role=option]")?.innerText === "notes/for-an-hour");
    await screen.type("#prefix", "nothing has this");
    await screen.press("Enter");
    await screen.see("#key-list", /No key from here on/);
  });
});

test("a value shows as JSON with its numbers as written, as text and as bytes", { skip }, async () => {
  await on("&key=notes%2Fexact", async (screen) => {
    await screen.see("#value-text", /"id": 12345678901234567890,\n\s+"tags": \[\n/);
    await screen.clickText(".value-bar [role=tab]", "Text");
    await screen.see("#value-text", /^\{"id":12345678901234567890,"tags"/);
    await screen.clickText(".value-bar [role=tab]", "Hex");
    await screen.see("#value-text", /^000000  7b 22 69 64/);
  });
});

test("markup in a value is text", { skip }, async () => {
  await on("&key=notes%2Fhtml", async (screen) => {
    await screen.see("#value-text", /^<img src=x onerror=alert\(1\)><b>bold<\/b>$/);
    assert.equal(await screen.page.$("#value-text b"), null);
  });
});

test("a key of any bytes opens, and its bytes are shown", { skip }, async () => {
  await on("&tab=keys&prefix=notes/", async (screen) => {
    await screen.clickText("#key-list [role=option]", "\\xff");
    await screen.see("#value-text", new RegExp(`^000000  ${BINARY.subarray(0, 4).toString("hex").replace(/(..)(?!$)/g, "$1 ")}`));
    assert.deepEqual(await screen.texts(".value-bar [role=tab]"), ["Hex"]);
    // The same key by its address.
    await screen.page.reload();
    await screen.see("#value-text", /^000000  /);
  });
});

test("an empty value is told from none", { skip }, async () => {
  await on("&key=notes%2Fempty", async (screen) => {
    await screen.see("#value", /The value is empty/);
    await screen.type("#seek", "notes/never");
    await screen.click("#go-get");
    await screen.see("#value", /The key is not there/);
  });
});

test("of a long value 64 KiB are shown and fetched; the download has all of it", { skip }, async () => {
  await on("&key=notes%2Flong", async (screen) => {
    await screen.see(".notice", /The first 64\.0 KiB of 200,0\d\d bytes/);
    const shown = await screen.page.$eval("#value-text", (pre) => pre.textContent);
    assert.ok(LONG.startsWith(shown), "what is shown is not how the value begins");
    assert.ok(Buffer.byteLength(shown) > 65_530, `${Buffer.byteLength(shown)}`);
    // The person's choice of a file is stood in for; the stream is the page's own.
    await screen.page.evaluate(() => {
      globalThis.saved = [];
      globalThis.showSaveFilePicker = async ({ suggestedName }) => ({
        createWritable: async () => new WritableStream({ write: (chunk) => void globalThis.saved.push(chunk), close: () => (globalThis.savedAs = suggestedName) }),
      });
    });
    await screen.clickText(".value-bar button", "Download");
    assert.equal(await screen.until(() => globalThis.savedAs), "long");
    assert.equal(await screen.page.evaluate(() => new Blob(globalThis.saved).text()), LONG);
  });
});

test("where no file can be chosen, the download goes the usual way", { skip }, async () => {
  await on("&key=notes%2Flong", async (screen) => {
    await screen.see(".notice", /64/);
    await screen.page.evaluate(() => {
      globalThis.showSaveFilePicker = undefined;
      HTMLAnchorElement.prototype.click = function () {
        globalThis.link = { href: this.href, name: this.download };
      };
    });
    await screen.clickText(".value-bar button", "Download");
    const { href, name } = await screen.until(() => globalThis.link);
    assert.equal(name, "long");
    assert.match(href, /^blob:/);
  });
});

test("why: each source, its verdict, and which one wins", { skip }, async () => {
  await on("&key=EWR%2F01-01%2FUA1545", async (screen) => {
    await screen.see("#value-text", /"corrected": true/);
    await screen.click(".why summary");
    await screen.see(".verdict", new RegExp(`returns version @27,0\\d\\d put of ${CORRECTED.length} B`));
    const rows = await screen.texts(".why tbody tr");
    assert.match(rows[0], /wins/);
    assert.ok(rows.some((row) => /@1 put of 295 B/.test(row) && /sequence|newer|older/.test(row)), rows.join("\n"));
    await screen.type("#seek", "notes/gone");
    await screen.click("#go-get");
    await screen.see("#value", /not there/);
    await screen.click(".why summary");
    await screen.see(".verdict", /finds it deleted by @/);
  });
});
