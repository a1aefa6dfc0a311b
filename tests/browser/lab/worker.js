// The same in a worker, which has no document.

import { readAll } from "./read.js";

addEventListener("message", async ({ data: { url, others } }) => {
  try {
    postMessage({ read: await readAll(url, others) });
  } catch (error) {
    postMessage({ failed: `${error.name}: ${error.message}` });
  }
});
