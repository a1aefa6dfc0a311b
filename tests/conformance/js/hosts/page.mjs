// A window or a dedicated worker of a browser.
import init, * as glue from "conformance-glue";
import { runCase } from "../cases.mjs";
import { openPlace } from "../places.mjs";

let loaded, worker;

async function run(place, name) {
  await (loaded ??= init({ module_or_path: new URL("./isledb.wasm", import.meta.url) }));
  return runCase(glue, openPlace(place), name);
}

if ("document" in globalThis) {
  globalThis.runHere = run;
  globalThis.runInWorker = (place, name) =>
    new Promise((resolve, reject) => {
      worker ??= new Worker(import.meta.url, { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ place, name });
    });
} else {
  globalThis.onmessage = async ({ data: { place, name } }) => {
    // A case that fails may throw where nobody waits for it.
    globalThis.postMessage(await run(place, name));
  };
}
