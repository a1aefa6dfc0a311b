// The worker that runs a case a request: POST a place and the name of a case, get what it said when it failed.
import * as glue from "conformance-glue";
import wasm from "./isledb.wasm";
import { runCase } from "../cases.mjs";
import { openPlace } from "../places.mjs";

glue.initSync({ module: wasm });

export default {
  async fetch(request, env) {
    const { place, name } = await request.json();
    const message = await runCase(glue, openPlace(place, { r2: env.BUCKET }), name);
    return Response.json({ message });
  },
};
