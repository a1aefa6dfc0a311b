// The hosts, where each runs the cases, and how it is started.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { inBrowser } from "./browser.mjs";
import { load, tool } from "../../tools.mjs";

const MEMORY = { name: "memory", kind: "memory" };
const S3 = { name: "S3", kind: "s3" };
const R2 = { name: "R2 binding", kind: "r2" };
const PRESIGNED = { name: "presigned URLs", kind: "presigned", byNameAlone: true };

/** The slowest first, so that none is left to run alone in the end. */
export const HOSTS = [
  { name: "Chromium window", places: [S3], run: inBrowser("chromium", "runHere") },
  { name: "Chromium worker", places: [S3], run: inBrowser("chromium", "runInWorker") },
  { name: "workerd", places: [R2, PRESIGNED], run: inWorkerd },
  { name: "Firefox", places: [S3], run: inBrowser("firefox", "runHere") },
  { name: "Node", places: [MEMORY, S3], run: inProcess(() => [process.execPath]) },
  { name: "Deno", places: [S3], run: inProcess(() => [`${tool("runtimes")}/node_modules/.bin/deno`, "run", "--allow-all", "--no-config"]) },
  { name: "Bun", places: [S3], run: inProcess(() => [`${tool("runtimes")}/node_modules/.bin/bun`, "run"]) },
];

function inProcess(command) {
  return async (work, built) => {
    const [program, ...before] = command();
    const told = JSON.stringify({ wasm: built.wasm, work });
    const options = { maxBuffer: 64 << 20, timeout: 600_000, env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" } };
    const { stdout } = await promisify(execFile)(program, [...before, `${built.folder}/process.mjs`, told], options);
    return JSON.parse(stdout.trim().split("\n").at(-1));
  };
}

async function inWorkerd(work, built) {
  const { Miniflare } = await load(tool("runtimes"), "miniflare");
  const results = [];
  for (const { place, names } of work) {
    const miniflare = new Miniflare({
      modulesRoot: built.folder,
      modules: [
        { type: "ESModule", path: `${built.folder}/workerd.mjs` },
        { type: "CompiledWasm", path: built.wasm },
      ],
      compatibilityDate: "2026-04-01",
      r2Buckets: ["BUCKET"],
    });
    const failures = [];
    try {
      for (const name of names) {
        const answer = await miniflare.dispatchFetch("http://worker/", { method: "POST", body: JSON.stringify({ place, name }) });
        const text = await answer.text();
        const message = answer.ok ? JSON.parse(text).message : `${answer.status} ${text}`;
        if (message !== undefined) failures.push({ name, message });
      }
    } finally {
      await miniflare.dispose();
    }
    results.push({ place: place.name, failures });
  }
  return results;
}
