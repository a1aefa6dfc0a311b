// The browsers that the tests drive: one process each, launched when first asked for, closed at the end of the run. What cannot be
// had is a reason to skip, or in CI to fail.

import { after } from "node:test";
import { missing as missingTools } from "../tools.mjs";
import { launch } from "./launch.mjs";

const launched = new Map();

/** The browser `"chromium"` or `"firefox"`. */
export function browser(name) {
  if (!launched.has(name)) launched.set(name, launch(name));
  return launched.get(name);
}

/** Why a browser cannot be had here, or false: what `skip` of a test takes. In CI that is an error. */
export const missing = (name) => missingTools(name, "puppeteer");

after(async () => {
  for (const opening of launched.values()) {
    const opened = await opening.catch(() => null);
    await opened?.close();
  }
});
