// A page of a browser.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { load, tool } from "./tools.mjs";

const ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
const TYPES = { mjs: "text/javascript", wasm: "application/wasm", html: "text/html" };

/** How to run the cases in a page of `name`, by its global function `entry`. */
export function inBrowser(name, entry) {
  return async (work, built) => {
    const { default: puppeteer } = await load(tool("puppeteer"), "puppeteer-core");
    const executablePath = tool(name);
    const server = await serve(built.folder);
    const browser = await puppeteer.launch(
      name === "chromium" ? { executablePath, args: ARGUMENTS, protocolTimeout: 240_000 } : { executablePath, browser: "firefox", headless: true, protocolTimeout: 240_000 },
    );
    try {
      const page = await browser.newPage();
      page.on("pageerror", (error) => console.log(`  page: ${error.message}`));
      await page.goto(`${server.origin}/index.html`);
      await page.waitForFunction((entry) => entry in globalThis, { timeout: 20_000 }, entry);
      return await page.evaluate((entry, work) => globalThis[entry](work), entry, work);
    } finally {
      await browser.close();
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
