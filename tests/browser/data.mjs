// Real data to look at: the buckets that the original wrote, and one that the command loads with the flights of a month.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

export const buckets = join(root, "tests/fixtures/buckets");
export const www = join(root, "www");

/** What the original saw in a fixture bucket. */
export const expected = (name) => JSON.parse(readFileSync(join(buckets, name, "expected.json"), "utf8"));

/** A folder that is gone after the tests. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), "isledb-browser-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The `isledb` command; `run.sh` says where it was built. */
export const command = process.env.ISLEDB_COMMAND ?? join(root, "target/debug/isledb");

/** Runs it, and returns what it prints. */
export function isledb(args, input) {
  return execFileSync(command, args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
}

/** A value that is larger than what is shown of one: 200,000 bytes of UTF-8. */
export const LONG = "Flüge ".repeat(28_571) + "Ende";
/** Bytes that are no text. */
export const BINARY = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7 + 200) & 0xff));
/** A number that JavaScript cannot hold. */
export const EXACT = '{"id":12345678901234567890,"tags":["a","b"],"empty":{}}';

/** What a writer puts over one flight. */
export const CORRECTED =
  '{"carrier":"UA","flight":1545,"tailnum":"N14228","origin":"EWR","dest":"IAH","arr_delay":12,"corrected":true}';

/** Operations on top of the flights: values of every kind, a delete, an expiry that has passed and one that has not. */
const EXTRAS = [
  { op: "put", key: "notes/long", value: LONG },
  { op: "put", key_b64: Buffer.from("notes/\xff\0key", "latin1").toString("base64"), value_b64: BINARY.toString("base64") },
  { op: "put", key: "notes/exact", value: EXACT },
  { op: "put", key: "notes/empty", value: "" },
  { op: "put", key: "notes/html", value: "<img src=x onerror=alert(1)><b>bold</b>" },
  { op: "put", key: "notes/gone", value: "soon" },
  { op: "put", key: "notes/for-an-hour", value: "still here", ttl_ms: 3_600_000 },
  { op: "flush" },
  { op: "del", key: "notes/gone" },
  { op: "put", key: "EWR/01-01/UA1545", value: CORRECTED },
  { op: "flush" },
];

let loaded;

/** The flights of January 2013 and the extras as a database of its own in `folder`/flights; loaded once, then copied. */
export function flights(folder) {
  if (!loaded) {
    loaded = join(scratch(), "flights");
    const rows = join(root, "hosts/cli/data/flights-2013-01.csv.zst");
    isledb(["load", loaded, rows, "--key-template", "{origin}/{month:02}-{day:02}/{carrier}{flight:04}", "--batch", "4000"]);
    isledb(["compact", loaded, "--full"]);
    batch(loaded, EXTRAS);
  }
  cpSync(loaded, join(folder, "flights"), { recursive: true });
}

/** Writes operations, as a writer elsewhere would. */
export function batch(url, operations) {
  isledb(["batch", url], operations.map((operation) => `${JSON.stringify(operation)}\n`).join(""));
}
