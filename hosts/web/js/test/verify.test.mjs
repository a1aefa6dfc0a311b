// Signatures over tables: only what a trusted key signed is read.
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { test } from "node:test";
import { CorruptError, InvalidArgumentError, Reader, UntrustedError } from "isledb/verify";
import { entriesOf, filesOf, wanted } from "./fixtures.mjs";

/** The public half of the fixture's test key: its seed is the bytes 0 to 31. */
function fixtureKey() {
  const seed = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPublicKey(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));
  return new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(-32));
}

test("a signed bucket is read with the key that signed it", async () => {
  const reader = await Reader.open({ files: filesOf("signed") }, { trustedKeys: [fixtureKey()] });
  assert.deepEqual(await entriesOf(reader), wanted("signed"));
});

test("an unsigned one is not, nor one that another key signed", async () => {
  const unsigned = await Reader.open({ files: filesOf("flush-snappy-default") }, { trustedKeys: [fixtureKey()] });
  await assert.rejects(unsigned.scan().toArray(), UntrustedError);
  const other = fixtureKey();
  // Another point of the curve: the standard base point.
  other.set(Buffer.from("5866666666666666666666666666666666666666666666666666666666666666", "hex"));
  const reader = await Reader.open({ files: filesOf("signed") }, { trustedKeys: [other] });
  await assert.rejects(reader.scan().toArray(), UntrustedError);
  await assert.rejects(Reader.open({ files: filesOf("signed") }, { trustedKeys: [new Uint8Array(31)] }), InvalidArgumentError);
});

test("a signed table that was changed is not read", async () => {
  const files = filesOf("signed");
  const changed = await Promise.all(
    files.map(async (file) => {
      if (!file.name.includes("sstable")) return file;
      const bytes = new Uint8Array(await file.arrayBuffer());
      bytes[30] ^= 1;
      return new File([bytes], file.name);
    }),
  );
  const reader = await Reader.open({ files: changed }, { trustedKeys: [fixtureKey()] });
  await assert.rejects(reader.scan().toArray(), CorruptError);
});
