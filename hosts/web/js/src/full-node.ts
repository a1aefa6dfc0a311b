import { readFile } from "node:fs/promises";
import * as glue from "./wasm/full/glue.js";
import { provide } from "./engine.js";

provide("full", async () => {
  await glue.default({ module_or_path: await readFile(new URL("./wasm/full/isledb.wasm", import.meta.url)) });
  return glue;
});

export * from "./full.js";
