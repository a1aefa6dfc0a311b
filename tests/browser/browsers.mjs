// The browsers that the tests drive: one process each, launched when first asked for, closed at the end of the run. Both speak
// through one library, so that a test is written once. What cannot be had is a reason to skip, or in CI to fail.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

const setup = fileURLToPath(new URL("../setup.sh", import.meta.url));
const tool = (name) => execFileSync(setup, ["where", name], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

/// Root of a container can use no sandbox; and a page of a test is our own.
const CHROMIUM_ARGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];

/** A machine that is busy compiling takes its time. */
const LAUNCH_MS = 180_000;

const launched = new Map();

/** The browser `"chromium"` or `"firefox"`. */
export function browser(name) {
  if (!launched.has(name)) launched.set(name, launch(name));
  return launched.get(name);
}

async function launch(name) {
  const { default: puppeteer } = await import(createRequire(`${tool("puppeteer")}/`).resolve("puppeteer-core"));
  const options = { executablePath: tool(name), timeout: LAUNCH_MS };
  if (name === "chromium") return puppeteer.launch({ ...options, args: CHROMIUM_ARGS });
  return puppeteer.launch({ ...options, browser: "firefox", headless: true });
}

/** Why a browser cannot be had here, or false: what `skip` of a test takes. In CI that is an error. */
export function missing(name) {
  try {
    tool(name);
    tool("puppeteer");
    return false;
  } catch (error) {
    const reason = `${name} cannot be had here: ${String(error.stderr ?? error).trim().split("\n").at(-1)}`;
    if (process.env.CI) throw new Error(reason);
    return reason;
  }
}

after(async () => {
  for (const opening of launched.values()) {
    const opened = await opening.catch(() => null);
    await opened?.close();
  }
});
