// Start-up in Chromium and workerd, over HTTP on this machine. Prints the best and the median of several, in milliseconds.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { objectsOf, wanted } from "../../hosts/web/js/test/fixtures.mjs";
import { serve as serveObjects } from "../../hosts/web/js/test/server.mjs";
import { skip as noWorkerd, start } from "../../hosts/web/js/test/workerd.mjs";
import { launch } from "../../tests/browser/launch.mjs";
import { serve } from "../../tests/browser/serve.mjs";
import { missing, root } from "../../tests/tools.mjs";

const TIMES = 10;
const BUCKET = "flush-snappy-default";
const KEY = Buffer.from(wanted(BUCKET)[0].key, "base64").toString();

const noChromium = missing("chromium", "puppeteer");
if (noChromium) console.log(`Chromium: ${noChromium}`);
else report("Chromium", await chromium());
if (noWorkerd) console.log(`workerd: ${noWorkerd}`);
else report("workerd", await workerd());

/** Each time a fresh page. */
async function chromium() {
  const app = await serve({ "/": `${root}www`, "/lab/": `${root}tests/browser/lab` });
  const store = await serve({ "/": `${root}tests/fixtures/buckets/${BUCKET}/bucket` });
  const browser = await launch("chromium");
  const taken = [];
  for (let i = 0; i < TIMES; i += 1) {
    const page = await browser.newPage();
    await page.goto(`${app.origin}/lab/index.html`);
    const measure = async (url, key) => {
      const time = async (run) => {
        const begun = performance.now();
        const value = await run();
        return [performance.now() - begun, value];
      };
      const bytes = await (await fetch("/isledb/wasm/reader/isledb.wasm")).arrayBuffer();
      const glue = await import("/isledb/wasm/reader/glue.js");
      const [compile, module] = await time(() => WebAssembly.compile(bytes));
      const [instantiate] = await time(() => glue.initSync({ module }));
      const { Reader } = await import("/isledb/web.js");
      const get = async () => (await Reader.open(url)).getText(key);
      const [first, value] = await time(get);
      const [second] = await time(get);
      if (!value) throw new Error(`${key} is not there`);
      return { compile, instantiate, "open, first get": first, "the same again": second };
    };
    taken.push(await page.evaluate(measure, `${store.origin}/db`, KEY));
    await page.close();
  }
  await browser.close();
  await app.close();
  await store.close();
  return taken;
}

/** Each time a fresh process. Time stands still inside while it computes, so these are the times of requests to it. */
async function workerd() {
  const store = await serveObjects(new Map(objectsOf(BUCKET)));
  const folder = mkdtempSync(join(tmpdir(), "isledb-startup-"));
  const file = join(folder, "worker.js");
  writeFileSync(
    file,
    `import { Reader } from "isledb";
    export default { async fetch(request, env) {
      if (new URL(request.url).pathname === "/nothing") return new Response("nothing");
      return new Response(await (await Reader.open(env.BASE)).getText(env.KEY));
    } };`,
  );
  const taken = [];
  for (let i = 0; i < TIMES; i += 1) {
    const worker = await start(file, { BASE: `${store.url}/db`, KEY });
    const ask = async (path) => {
      const begun = performance.now();
      const answer = await worker.ask(path);
      const text = await answer.text();
      if (!answer.ok || text === "") throw new Error(`${path}: ${answer.status} ${text}`);
      return performance.now() - begun;
    };
    taken.push({
      "first request, which does nothing": await ask("/nothing"),
      "the same again": await ask("/nothing"),
      "instantiate, open, first get": await ask("/get"),
      "open, first get": await ask("/get"),
    });
    await worker.stop();
  }
  await store.stop();
  rmSync(folder, { recursive: true });
  return taken;
}

function report(host, taken) {
  for (const what of Object.keys(taken[0])) {
    const sorted = taken.map((one) => one[what]).sort((a, b) => a - b);
    const shown = [sorted[0], sorted[sorted.length >> 1]].map((ms) => ms.toFixed(2).padStart(9));
    console.log(`${host.padEnd(9)} ${what.padEnd(36)} ${shown.join(" ")} ms`);
  }
}
