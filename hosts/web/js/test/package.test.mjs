// The tarball as a user gets it: in an empty folder with Node, through a bundler for browsers, and as a worker.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const js = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(readFileSync(join(js, "package.json"), "utf8"));
const tarball = join(js, `isledb-${version}.tgz`);
let folder;

before(() => {
  if (!existsSync(tarball)) execFileSync("npm", ["pack", "--silent"], { cwd: js });
  folder = mkdtempSync(join(tmpdir(), "isledb-"));
  mkdirSync(join(folder, "node_modules/isledb"), { recursive: true });
  // What npm does with a package that depends on nothing.
  execFileSync("tar", ["-xzf", tarball, "-C", join(folder, "node_modules/isledb"), "--strip-components", "1"]);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const program = (entry) => `
import { Database, MemoryStore } from "${entry}";
const db = await Database.open({ store: new MemoryStore() });
const writer = await db.writer();
await writer.put("key", "value");
await writer.flush();
console.log(await (await db.reader()).getText("key"));
`;

test("it depends on nothing, and has what it exports", () => {
  const { dependencies, exports } = JSON.parse(readFileSync(join(folder, "node_modules/isledb/package.json"), "utf8"));
  assert.equal(dependencies, undefined);
  const targets = Object.values(exports).flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)));
  for (const target of targets.filter((target) => !target.includes("*"))) {
    assert.ok(existsSync(join(folder, "node_modules/isledb", target)), target);
  }
});

test("the JavaScript of each engine fits its WebAssembly", async () => {
  for (const kind of ["reader", "verify", "full"]) {
    const at = join(folder, "node_modules/isledb/dist/wasm", kind);
    const module = await WebAssembly.compile(readFileSync(join(at, "isledb.wasm")));
    const glue = readFileSync(join(at, "glue.js"), "utf8");
    const wanted = WebAssembly.Module.imports(module).map(({ name }) => name);
    assert.ok(wanted.length > 20);
    for (const name of wanted) assert.ok(glue.includes(name), `${kind}: ${name}`);
    const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
    for (const [, name] of glue.matchAll(/\bwasm\.(\w+)\(/g)) assert.ok(exported.has(name), `${kind}: ${name}`);
  }
});

test("plain Node runs it", () => {
  writeFileSync(join(folder, "main.mjs"), program("isledb/full"));
  assert.equal(execFileSync("node", ["main.mjs"], { cwd: folder, encoding: "utf8" }).trim(), "value");
});

test("Vite bundles it with its WebAssembly", async () => {
  const { build } = await import("vite");
  const page = join(folder, "page");
  mkdirSync(page, { recursive: true });
  writeFileSync(join(page, "index.html"), `<!doctype html><script type="module" src="./main.js"></script>`);
  writeFileSync(join(page, "main.js"), `import { Reader } from "isledb"; globalThis.open = () => Reader.open("https://host/db");`);
  await build({ root: page, logLevel: "error", build: { assetsInlineLimit: 0 } });
  const assets = readdirSync(join(page, "dist/assets"));
  const wasm = assets.filter((name) => name.endsWith(".wasm"));
  assert.equal(wasm.length, 1, `the reader's module alone: ${assets}`);
  const scripts = assets.filter((name) => name.endsWith(".js")).map((name) => readFileSync(join(page, "dist/assets", name), "utf8"));
  assert.ok(scripts.some((text) => text.includes(wasm[0])));
});

test("esbuild makes a worker of it", async () => {
  const { build } = await import("esbuild");
  writeFileSync(
    join(folder, "worker.mjs"),
    `import { Reader } from "isledb"; export default { fetch: async () => new Response(await (await Reader.open("https://host/db")).getText("key")) };`,
  );
  const made = await build({
    entryPoints: [join(folder, "worker.mjs")],
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    loader: { ".wasm": "copy" },
    outdir: join(folder, "worker"),
    write: true,
    metafile: true,
    logLevel: "error",
  });
  const names = Object.keys(made.metafile.outputs);
  assert.equal(names.filter((name) => name.endsWith(".wasm")).length, 1, String(names));
  assert.ok(!readFileSync(join(folder, "worker/worker.js"), "utf8").includes("node:fs"));
});
