// The same package in Deno, Bun and workerd (by miniflare), which `tests/setup.sh where runtimes` installs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tool } from "../../../../tests/tools.mjs";
import { entriesOf, objectsOf, wanted } from "./fixtures.mjs";
import { serve } from "./server.mjs";
import { skip, start } from "./workerd.mjs";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "isledb-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Reads a bucket at a URL and prints its entries in the form of the tests. */
const program = `
import { createHash } from "node:crypto";
import { Reader } from "${dist}node.js";
const reader = await Reader.open((globalThis.Deno?.args ?? process.argv.slice(2))[0]);
const entries = [];
for await (const { key, value } of reader.scan()) {
  entries.push({ key: btoa(String.fromCharCode(...key)), len: value.length, sha256: createHash("sha256").update(value).digest("hex") });
}
console.log(JSON.stringify({ entries, preflight: reader.stats().requests.preflight }));
(globalThis.Deno ?? process).exit(0);
`;

for (const [name, command] of [
  ["Deno", ["deno", "run", "--allow-all"]],
  ["Bun", ["bun", "run"]],
]) {
  test(`${name} reads a bucket`, { skip }, async () => {
    const server = await serve(new Map(objectsOf("everything")));
    const file = join(folder, "main.mjs");
    writeFileSync(file, program);
    const [runner, ...args] = command;
    const child = spawn(join(tool("runtimes"), "node_modules/.bin", runner), [...args, file, `${server.url}/db`]);
    const out = [];
    child.stdout.on("data", (piece) => out.push(piece));
    child.stderr.on("data", (piece) => process.stderr.write(piece));
    await new Promise((ended) => child.on("close", ended));
    await server.stop();
    assert.deepEqual(JSON.parse(Buffer.concat(out)), { entries: wanted("everything"), preflight: 0 });
  });
}

test("workerd: requests share a reader and wait for nothing of each other", { skip }, async () => {
  const server = await serve(new Map(objectsOf("flush-snappy-default")));
  const file = join(folder, "worker.js");
  writeFileSync(
    file,
    `import { Reader } from "isledb";
    let shared;
    export default { async fetch(request, env) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/cold") {
        const reader = await Reader.open(env.BASE);
        const value = await reader.getText(searchParams.get("key"));
        return Response.json({ value, requests: reader.stats().requests.get });
      }
      shared ??= await Reader.open(env.BASE);
      const reader = shared.scoped();
      try {
        if (pathname === "/scan") return Response.json({ count: (await reader.scan().toArray()).length });
        return Response.json({ value: await reader.getText(searchParams.get("key")) });
      } finally {
        reader.close();
      }
    } };`,
  );
  const worker = await start(file, { BASE: `${server.url}/db` });
  try {
    const ask = async (path) => {
      const response = await worker.ask(path);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return JSON.parse(text);
    };
    const keys = (await allKeys(server)).slice(0, 8);
    const cold = await ask(`/cold?key=${keys[0]}`);
    assert.ok(cold.value.length > 0);
    assert.ok(cold.requests <= 6, `${cold.requests} subrequests for open and get`);
    const answers = await Promise.all(keys.map((key) => ask(`/get?key=${key}`)));
    assert.ok(answers.every(({ value }) => value.length > 0));
    assert.equal(new Set(answers.map(({ value }) => value)).size, keys.length, "nothing leaks from one request to the next");
    assert.equal((await ask("/scan")).count, 500);
  } finally {
    await worker.stop();
    await server.stop();
  }
});

async function allKeys(server) {
  const { Reader } = await import("isledb");
  const reader = await Reader.open(`${server.url}/db`);
  const entries = await entriesOf(reader);
  return entries.map(({ key }) => Buffer.from(key, "base64").toString());
}
