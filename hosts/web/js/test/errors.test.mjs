// Each class of error, provoked.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as isledb from "isledb";
import { objectsOf } from "./fixtures.mjs";
import { serve } from "./server.mjs";

const { Reader } = isledb;

async function failing(fault, run = (reader) => reader.get("key000001"), options = {}, change = () => {}) {
  const objects = new Map(objectsOf("flush-snappy-default"));
  change(objects);
  const server = await serve(objects, fault);
  try {
    const reader = await Reader.open(`${server.url}/db`, { timeoutMs: 2000, ...options });
    await run(reader);
  } catch (error) {
    return { error, requests: server.requests.length };
  } finally {
    await server.stop();
  }
  assert.fail("nothing failed");
}

/** A refusal of S3. */
const refuses = (status, code, message = "", more = "") => ({ key }) =>
  key.includes("sstable")
    ? { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>` }
    : undefined;

test("every class has its code and its advice", () => {
  const classes = Object.values(isledb).filter((value) => value?.prototype instanceof isledb.IsleError);
  const codes = new Set(classes.map((Class) => new Class("x").code));
  assert.equal(codes.size, classes.length);
  assert.deepEqual(classes.map((Class) => Class.name).sort(), [
    "ClosedError", "CorruptError", "CorsError", "ExpiredError", "ExpiredSignatureError", "FencedError", "InvalidArgumentError",
    "NoRangeSupportError", "NotFoundError", "OutcomeUnknownError", "OverBudgetError", "PermissionError", "TimeoutError",
    "UnavailableError", "UnsupportedError", "UntrustedError", "WrongRegionError",
  ]);
  for (const Class of classes) {
    const error = new Class("message", { object: "db/x", offset: 3 });
    assert.ok(error.hint.length > 10, Class.name);
    assert.equal(error.name, Class.name);
    assert.deepEqual([error.object, error.offset], ["db/x", 3]);
  }
});

test("a refusal says which, and is not repeated", async () => {
  for (const [status, code, message, Class] of [
    [403, "AccessDenied", "Access Denied", isledb.PermissionError],
    [403, "AccessDenied", "Request has expired", isledb.ExpiredSignatureError],
    [400, "ExpiredToken", "The provided token has expired.", isledb.ExpiredSignatureError],
    [403, "AuthenticationFailed", "Signature not valid in the specified time frame", isledb.ExpiredSignatureError],
    [400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong", isledb.WrongRegionError],
    [301, "PermanentRedirect", "use another endpoint", isledb.WrongRegionError],
    [401, "Unauthorized", "", isledb.PermissionError],
  ]) {
    const { error } = await failing(refuses(status, code, message));
    assert.equal(error.constructor, Class, `${code}: ${error}`);
    assert.match(error.object, /sstable/);
  }
  const { error } = await failing(refuses(400, "AuthorizationHeaderMalformed", "", "<Region>eu-west-1</Region>"));
  assert.match(error.hint, /eu-west-1/);
});

test("a store that does not serve is asked again until the time is up", async () => {
  const { error, requests } = await failing(({ key }) => (key.includes("sstable") ? { status: 503, body: "slow down" } : undefined));
  assert.ok(error instanceof isledb.UnavailableError || error instanceof isledb.TimeoutError, String(error));
  assert.ok(requests > 3);
  const silent = await failing(({ key }) => (key.includes("sstable") ? "hang" : undefined), undefined, { timeoutMs: 200 });
  assert.ok(silent.error instanceof isledb.TimeoutError || silent.error instanceof isledb.UnavailableError, String(silent.error));
});

test("nobody there", async () => {
  await assert.rejects(Reader.open("http://127.0.0.1:1/db", { timeoutMs: 300 }), (error) => {
    assert.ok(error instanceof isledb.UnavailableError || error instanceof isledb.TimeoutError, String(error));
    return true;
  });
});

test("one failure is no failure", async () => {
  let failures = 0;
  const server = await serve(new Map(objectsOf("flush-snappy-default")), ({ key }) =>
    key.includes("sstable") && failures++ < 2 ? (failures === 1 ? { status: 500 } : "cut") : undefined,
  );
  const reader = await Reader.open(`${server.url}/db`);
  assert.ok((await reader.scan().toArray()).length > 100);
  assert.ok(failures > 2);
  await server.stop();
});

test("damage names the object", async () => {
  const damage = (objects) => {
    for (const [key, bytes] of objects) if (key.includes("sstable")) objects.set(key, Buffer.from(bytes).fill(7, 40, 90));
  };
  const { error } = await failing(undefined, (reader) => reader.scan().toArray(), {}, damage);
  assert.ok(error instanceof isledb.CorruptError, String(error));
  assert.match(error.object, /sstable/);
  assert.match(error.hint, /verify/);
});

test("an object that should be there and is not", async () => {
  const lose = (objects) => {
    for (const key of objects.keys()) if (key.includes("sstable")) objects.delete(key);
  };
  const { error } = await failing(undefined, undefined, {}, lose);
  assert.ok(error instanceof isledb.CorruptError, String(error));
});

test("a server without ranges serves small objects, and is named for large ones", async () => {
  const objects = new Map(objectsOf("flush-snappy-default"));
  const small = await serve(objects, () => "whole");
  const reader = await Reader.open(`${small.url}/db`);
  assert.ok((await reader.scan().toArray()).length > 100);
  await small.stop();
  const grow = (all) => {
    for (const [key, bytes] of all) if (key.includes("sstable")) all.set(key, Buffer.concat([bytes, Buffer.alloc(2 << 20)]));
  };
  const { error } = await failing(({ key }) => (key.includes("sstable") ? "whole" : undefined), undefined, {}, grow);
  assert.ok(error instanceof isledb.NoRangeSupportError, String(error));
});

test("what a store of one's own throws arrives as it was thrown", async () => {
  const mine = new isledb.PermissionError("no ticket for you", { object: "db/manifest/CURRENT", hint: "Ask at the desk." });
  const store = { get: async () => { throw mine; } };
  await assert.rejects(Reader.open({ store, prefix: "db" }), (error) => error === mine);
  const plain = { get: async () => { throw new isledb.StoreError("permission", "no"); } };
  await assert.rejects(Reader.open({ store: plain, prefix: "db" }), (error) => {
    assert.ok(error instanceof isledb.PermissionError);
    assert.ok(error.cause instanceof isledb.StoreError);
    return true;
  });
  const nonsense = { get: async () => ({ meta: {}, range: {}, body: "text" }) };
  await assert.rejects(Reader.open({ store: nonsense, prefix: "db" }), isledb.CorruptError);
});

test("a cursor that is none, and a feed that no longer reaches back", async () => {
  const { error } = await failing(undefined, async (reader) => {
    for await (const change of reader.tail({ from: "c1.99999999.0.0.0.deadbeef" })) assert.fail(change);
  });
  assert.ok(error instanceof isledb.InvalidArgumentError, String(error));
});
