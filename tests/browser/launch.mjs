// Starts a browser of this machine. Both speak through one library, so that a test is written once.

import { load, tool } from "../tools.mjs";

/// Root of a container can use no sandbox; and a page of a test is our own.
const CHROMIUM_ARGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];

/** A machine that is busy compiling takes its time. */
const LAUNCH_MS = 180_000;

/** Starts `"chromium"` or `"firefox"`, without a window. Who starts it closes it. */
export async function launch(name) {
  const { default: puppeteer } = await load(tool("puppeteer"), "puppeteer-core");
  const options = { executablePath: tool(name), timeout: LAUNCH_MS };
  if (name === "chromium") return puppeteer.launch({ ...options, args: CHROMIUM_ARGS });
  return puppeteer.launch({ ...options, browser: "firefox", headless: true });
}
