// The edge example as people copy it, on a bucket that the original wrote.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { objectsOf, wanted } from "./fixtures.mjs";
import { skip, start } from "./workerd.mjs";

const example = fileURLToPath(new URL("../../edge/worker.ts", import.meta.url));
const keys = wanted("flush-snappy-default").map(({ key }) => Buffer.from(key, "base64").toString());
let worker;

before(async () => {
  if (skip) return;
  worker = await start(example, { PREFIX: "db" });
  for (const [key, bytes] of objectsOf("flush-snappy-default")) await worker.bucket.put(key, new Uint8Array(bytes).buffer);
});
after(() => worker?.stop());

async function json(path, status = 200) {
  const answer = await worker.ask(path);
  const text = await answer.text();
  assert.equal(answer.status, status, text);
  return JSON.parse(text);
}

test("a value by its key", { skip }, async () => {
  const answer = await worker.ask(`/kv/${encodeURIComponent(keys[0])}`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("etag"), /^"\d+"$/);
  const { len } = wanted("flush-snappy-default")[0];
  assert.equal((await answer.arrayBuffer()).byteLength, len);
  assert.equal((await json("/kv/none", 404)).error.code, "request");
});

test("a scan goes on where a page ended", { skip }, async () => {
  const seen = [];
  let start = "";
  for (;;) {
    const answer = await worker.ask(`/scan?limit=200&start=${encodeURIComponent(start)}`);
    const lines = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line));
    seen.push(...lines.filter(({ key }) => key !== undefined).map(({ key }) => key));
    const { next } = lines.at(-1);
    if (next === undefined) break;
    start = next;
  }
  assert.deepEqual(seen, keys);
  assert.equal((await json("/scan?limit=0", 400)).error.code, "request");
});

test("many requests at once on one isolate", { skip }, async () => {
  const answers = await Promise.all(keys.slice(0, 8).map((key) => worker.ask(`/kv/${encodeURIComponent(key)}`)));
  const values = await Promise.all(answers.map((answer) => answer.text()));
  assert.equal(new Set(values).size, 8, "each has its own value");
});

test("changes as events, and on from the last one", { skip }, async () => {
  const first = await events("/tail?from=begin", {}, 3);
  assert.deepEqual(first.map(({ data }) => JSON.parse(data).op), ["put", "put", "put"]);
  const [next] = await events("/tail", { "last-event-id": first[1].id }, 1);
  assert.deepEqual(next, first[2]);
});

test("what the worker does not do", { skip }, async () => {
  assert.equal((await worker.ask("/kv/a", { method: "PUT", body: "x" })).status, 405);
  assert.equal((await worker.ask("/")).status, 404);
  const [problem] = await events("/tail?from=nonsense", {}, 1);
  assert.equal(problem.event, "problem");
  assert.equal(JSON.parse(problem.data).code, "invalid-argument");
});

/** The first `count` events of a stream, which is then left. */
async function events(path, headers, count) {
  const answer = await worker.ask(path, { headers });
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  const found = [];
  let text = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  while (found.length < count) {
    const { done, value } = await reader.read();
    assert.ok(!done, `the stream ended after ${found.length} events: ${text}`);
    text += value;
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const event of whole.filter((event) => !event.startsWith(":"))) {
      found.push(Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2))));
    }
  }
  await reader.cancel();
  return found.slice(0, count);
}
