import * as glue from "./wasm/verify/glue.js";
import { provide } from "./engine.js";

provide("verify", async () => {
  await glue.default({ module_or_path: new URL("./wasm/verify/isledb.wasm", import.meta.url) });
  return glue;
});

export * from "./verify.js";
