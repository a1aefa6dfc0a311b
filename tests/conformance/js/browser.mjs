// A page of a browser.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { launch } from "../../browser/launch.mjs";
import { tool } from "../../tools.mjs";
import { failuresOf } from "./cases.mjs";

const TYPES = { mjs: "text/javascript", wasm: "application/wasm", html: "text/html" };

/** Browsers that run, by name: hosts of one browser share it. */
const running = new Map();

function shared(name) {
  const { opening } = running.get(name) ?? { opening: launch(name) };
  const users = (running.get(name)?.users ?? 0) + 1;
  running.set(name, { opening, users });
  return opening;
}

async function leave(name) {
  const { opening, users } = running.get(name);
  if (users > 1) return running.set(name, { opening, users: users - 1 });
  running.delete(name);
  await opening.then((browser) => browser.close(), () => {});
}

/** How to run the cases in a page of `name`, by its global function `entry`. */
export function inBrowser(name, entry) {
  return async (work, built) => {
    tool(name);
    const server = await serve(built.folder);
    try {
      const page = await (await shared(name)).newPage();
      page.on("pageerror", (error) => console.log(`  page: ${error.message}`));
      await page.goto(`${server.origin}/index.html`);
      await page.waitForFunction((entry) => entry in globalThis, { timeout: 60_000 }, entry);
      const results = [];
      for (const { place, names } of work) {
        // A call for each: none takes longer than the driver waits for an answer.
        const run = (name) => page.evaluate((entry, place, name) => globalThis[entry](place, name), entry, place, name);
        results.push({ place: place.name, failures: await failuresOf(names, run) });
      }
      await page.close();
      return results;
    } finally {
      await leave(name);
      server.close();
    }
  };
}

/** Serves what was built, and a page that loads it. */
async function serve(folder) {
  const server = createServer(async (request, response) => {
    const name = request.url.slice(1);
    const type = TYPES[name.split(".").at(-1)];
    try {
      const body = name === "index.html" ? '<!doctype html><script type="module" src="page.mjs"></script>' : await readFile(`${folder}/${name}`);
      response.writeHead(200, { "content-type": type }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
