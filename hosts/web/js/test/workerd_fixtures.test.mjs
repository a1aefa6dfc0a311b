// The buckets that the original wrote, read in workerd from an R2 bucket exactly as the original saw them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { absent, buckets, expected, objectsOf, whole } from "./fixtures.mjs";
import { skip, start } from "./workerd.mjs";

let worker;
before(async () => {
  if (!skip) worker = await start(fileURLToPath(new URL("workerd_fixtures.ts", import.meta.url)));
});
after(() => worker?.stop());

test("44 buckets in workerd", { skip }, async () => {
  assert.equal(buckets.length, 44);
  const left = [...buckets];
  const some = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) assert.deepEqual(await read(name), whole(name), name);
  };
  await Promise.all([some(), some(), some(), some()]);
});

/** Puts the bucket `name` below a prefix of that name, and lets the worker read it. */
async function read(name) {
  await Promise.all(objectsOf(name).map(([key, bytes]) => worker.bucket.put(`${name}/${key}`, new Uint8Array(bytes).buffer)));
  const prefix = `${name}/${expected(name).prefix}`.replace(/\/+$/, "");
  const answer = await worker.ask("/", { method: "POST", body: JSON.stringify({ prefix, others: absent(name) }) });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${name}: ${text}`);
  return JSON.parse(text);
}
