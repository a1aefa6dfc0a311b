// The same in a worker, which has no document.

import { Reader } from "/isledb/web.js";
import { readAll } from "./read.js";

addEventListener("message", async ({ data: { url, others } }) => {
  try {
    postMessage({ read: await readAll(Reader, url, others) });
  } catch (error) {
    postMessage({ failed: `${error.name}: ${error.message}` });
  }
});
