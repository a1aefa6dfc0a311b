// How it looks: nothing scrolls sideways at 400 px, text can be read in both schemes, and the pictures in docs/inspector.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { batch, buckets, flights, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

/** The pictures are written when asked for by ISLEDB_BLESS=1, as golden files are. */
const pictures = process.env.ISLEDB_BLESS ? fileURLToPath(new URL("../../docs/inspector/", import.meta.url)) : null;
const PICTURE_BYTES_MAX = 150_000;

const skip = missing("chromium");
const folder = scratch();
let app, store;
before(async () => {
  if (skip) return;
  flights(folder);
  app = await serve({ "/": www });
  store = await serve({ "/fixtures/": buckets, "/": folder });
});
after(async () => {
  await app?.close();
  await store?.close();
});

/** Everything that can be on the page: a name, the address behind its #, and what is done first. */
const VIEWS = [
  ["start", () => "", async (screen) => screen.see("#start", /Look into/)],
  ["overview", () => at("/flights"), async (screen) => screen.see(".levels", /sst/)],
  ["levels", () => at("/fixtures/everything/bucket/db"), async (screen) => screen.see(".levels", /Run 0/)],
  ["keys", () => at("/flights", "&tab=keys&prefix=JFK"), async (screen) => screen.see("#key-list", /JFK/)],
  [
    "value",
    () => at("/flights", "&tab=keys&prefix=EWR/01-01/UA&key=EWR/01-01/UA1545"),
    async (screen) => {
      await screen.see("#value-text", /corrected/);
      await screen.click(".why summary");
      await screen.see(".why", /wins/);
    },
  ],
  [
    "changes",
    () => at("/flights", "&tab=changes"),
    async (screen) => {
      await screen.tailing(store, () => screen.click("#follow-toggle"));
      batch(`${folder}/flights`, LIVE);
      await screen.see("#tail-rows", /HA0051/);
    },
  ],
  [
    "problem",
    () => at("/fixtures/no-cors/bucket/db"),
    async (screen) => {
      store.fault("/fixtures/no-cors", { cors: false });
      await screen.page.reload();
      await screen.see(".problem", /CORS/);
    },
  ],
];
const LIVE = [
  { op: "put", key: "JFK/02-01/B60707", value: '{"carrier":"B6","flight":707,"dest":"SJU","dep_delay":4}' },
  { op: "put", key: "EWR/02-01/UA1701", value: '{"carrier":"UA","flight":1701,"dest":"FLL","dep_delay":-2}' },
  { op: "del", key: "LGA/02-01/MQ4401" },
  { op: "put", key: "JFK/02-01/HA0051", value: '{"carrier":"HA","flight":51,"dest":"HNL","dep_delay":0}' },
  { op: "flush" },
];

const at = (path, more = "") => `#url=${encodeURIComponent(store.origin + path)}${more}`;

for (const [name, hash, arrive] of VIEWS) {
  test(`${name}: no sideways scrolling at 400 px, and readable in both schemes`, { skip }, async () => {
    await withPage("chromium", { app: app.origin, stores: [store.origin], hash: hash(), height: 800 }, async (screen) => {
      await arrive(screen);
      for (const width of [1280, 400]) {
        await screen.page.setViewport({ width, height: 800 });
        for (const scheme of ["dark", "light"]) {
          await screen.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
          const wide = await screen.page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(wide <= width, `${name} is ${wide} px wide at ${width}`);
          assert.deepEqual(await screen.page.evaluate(faintTexts), [], `${name} in ${scheme}`);
          await picture(screen.page, `${name}-${width === 400 ? "narrow-" : ""}${scheme}`);
        }
      }
    });
  });
}

const PICTURES = ["start-light", "overview-light", "value-light", "value-dark", "changes-light", "problem-light", "overview-narrow-dark", "value-narrow-light"];

async function picture(page, name) {
  if (!PICTURES.includes(name)) return;
  const png = await page.screenshot({ type: "png" });
  assert.ok(png.length < PICTURE_BYTES_MAX, `${name}.png has ${png.length} bytes`);
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  writeFileSync(`${pictures}${name}.png`, png);
}

/** Runs in the page: texts whose contrast with what is behind them is below 4.5 to 1. */
function faintTexts() {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
  const behind = (element) => (element ? over(rgba(getComputedStyle(element).backgroundColor), behind(element.parentElement)) : [255, 255, 255]);
  const luminance = (color) => {
    const [r, g, b] = color.map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (seen.has(element) || !walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(":disabled")) continue;
    seen.add(element);
    const back = behind(element);
    const [light, dark] = [luminance(over(rgba(getComputedStyle(element).color), back)), luminance(back)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}
