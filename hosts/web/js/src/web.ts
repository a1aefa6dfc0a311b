import * as glue from "./wasm/reader/glue.js";
import { provide } from "./engine.js";

provide("reader", async () => {
  await glue.default({ module_or_path: new URL("./wasm/reader/isledb.wasm", import.meta.url) });
  return glue;
});

export * from "./index.js";
