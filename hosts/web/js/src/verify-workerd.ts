import * as glue from "./wasm/verify/glue.js";
import wasm from "./wasm/verify/isledb.wasm";
import { provide } from "./engine.js";

// The runtime compiled it: no request has to wait for what another one began.
provide("verify", () => {
  glue.initSync({ module: wasm });
  return glue;
});

export * from "./verify.js";
