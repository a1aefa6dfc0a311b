// A worker of this repository in workerd, by miniflare, with an R2 bucket of its own.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { load, missing, tool } from "../../../../tests/tools.mjs";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

/** Why there is no workerd, for the tests that need it. */
export const skip = missing("runtimes");

/** Bundles `file` with the package as wrangler would, and starts it. */
export async function start(file, bindings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "isledb-worker-"));
  const made = await build({
    entryPoints: [file],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    alias: { "isledb/full": join(dist, "full-workerd.js"), isledb: join(dist, "workerd.js") },
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    metafile: true,
    logLevel: "error",
  });
  const wasm = Object.keys(made.metafile.outputs).find((name) => name.endsWith(".wasm"));
  const { Miniflare } = await load(tool("runtimes"), "miniflare");
  const worker = new Miniflare({
    modules: [
      { type: "ESModule", path: "worker.js", contents: readFileSync(join(folder, "worker.js"), "utf8") },
      { type: "CompiledWasm", path: basename(wasm), contents: readFileSync(join(folder, basename(wasm))) },
    ],
    compatibilityDate: "2026-04-01",
    r2Buckets: ["BUCKET"],
    bindings,
  });
  return {
    ask: (path, init) => worker.dispatchFetch(`http://worker${path}`, init),
    bucket: await worker.getR2Bucket("BUCKET"),
    async stop() {
      await worker.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
