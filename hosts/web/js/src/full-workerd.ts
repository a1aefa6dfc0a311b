import * as glue from "./wasm/full/glue.js";
import wasm from "./wasm/full/isledb.wasm";
import { provide } from "./engine.js";

// The runtime compiled it: no request has to wait for what another one began.
provide("full", () => {
  glue.initSync({ module: wasm });
  return glue;
});

export * from "./full.js";
