// The fixture buckets read exactly as their `expected.json` says, through every source that Node can have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore, Reader } from "isledb";
import { buckets, entriesOf, expected, filesOf, objectsOf, wanted } from "./fixtures.mjs";
import { serve } from "./server.mjs";

test("there are all the buckets", () => assert.equal(buckets.length, 44));

for (const name of buckets) {
  test(`${name}, from files`, async () => {
    const { prefix } = expected(name);
    const reader = await Reader.open({ files: filesOf(name) }, { prefix });
    const entries = await entriesOf(reader);
    assert.deepEqual(entries, wanted(name));
    const keys = entries.map(({ key }) => Buffer.from(key, "base64"));
    const values = await reader.getMany(keys);
    assert.deepEqual(
      values.map((value) => value?.length),
      entries.map(({ len }) => len),
    );
  });
}

test("all buckets over HTTP, below a base URL", async () => {
  for (const name of buckets) {
    const { prefix } = expected(name);
    const server = await serve(new Map(objectsOf(name)));
    try {
      const reader = await Reader.open(new URL(prefix, `${server.url}/`));
      assert.deepEqual(await entriesOf(reader), wanted(name), name);
      const methods = new Set(server.requests.map(({ method }) => method));
      assert.deepEqual([...methods], ["GET"], name);
    } finally {
      await server.stop();
    }
  }
});

test("a bucket from a store of one's own, backwards too", async () => {
  const store = new MemoryStore();
  for (const [key, body] of objectsOf("several-runs-and-l0")) await store.put(key, body, { condition: { kind: "none" } });
  const reader = await Reader.open({ store, prefix: "db" });
  const entries = await reader.scan().toArray();
  const backwards = await reader.scan({ reverse: true }).toArray();
  assert.ok(entries.length > 100);
  assert.deepEqual(
    backwards.map(({ keyText }) => keyText).reverse(),
    entries.map(({ keyText }) => keyText),
  );
});
