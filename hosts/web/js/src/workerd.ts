import * as glue from "./wasm/reader/glue.js";
import wasm from "./wasm/reader/isledb.wasm";
import { provide } from "./engine.js";

// The runtime compiled it: no request has to wait for what another one began.
provide("reader", () => {
  glue.initSync({ module: wasm });
  return glue;
});

export * from "./index.js";
