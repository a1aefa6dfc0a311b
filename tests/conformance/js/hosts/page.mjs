// A window or a dedicated worker of a browser.
import init, * as glue from "conformance-glue";
import { runCases } from "../cases.mjs";
import { openPlace } from "../places.mjs";

const inWindow = "document" in globalThis;

/** Runs the cases at each place, here. */
export async function runAll(work) {
  await init({ module_or_path: new URL("./isledb.wasm", import.meta.url) });
  const results = [];
  for (const { place, names } of work) {
    results.push({ place: place.name, failures: await runCases(glue, openPlace(place), names) });
  }
  return results;
}

if (inWindow) {
  globalThis.runHere = runAll;
  globalThis.runInWorker = (work) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(import.meta.url, { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(work);
    });
} else {
  globalThis.onmessage = async ({ data }) => {
    // A case that fails may throw where nobody waits for it.
    globalThis.postMessage(await runAll(data));
  };
}
