// The buckets that the original wrote, as the sources of the package take them.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../tests/fixtures/buckets", import.meta.url));

/** Names of all buckets. */
export const buckets = readdirSync(root).filter((name) => existsSync(join(root, name, "expected.json")));

/** What a reader must see. */
export const expected = (name) => JSON.parse(readFileSync(join(root, name, "expected.json"), "utf8"));

/** The folder of a bucket. */
export const folderOf = (name) => join(root, name, "bucket");

/** Its objects: keys with their bytes. */
export function objectsOf(name) {
  const found = [];
  const walk = (folder, path) => {
    for (const entry of readdirSync(folder)) {
      const at = join(folder, entry);
      if (statSync(at).isDirectory()) walk(at, `${path}${entry}/`);
      // The original's file store keeps ETags beside the objects; they are none themselves.
      else if (!entry.endsWith(".attrs")) found.push([path + entry, readFileSync(at)]);
    }
  };
  walk(folderOf(name), "");
  return found;
}

/** Its objects as a person would choose them. */
export const filesOf = (name) => objectsOf(name).map(([key, bytes]) => new File([bytes], key));

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** What is in a reader, in the form of `expected.json`. */
export async function entriesOf(reader) {
  const entries = [];
  for await (const { key, value } of reader.scan()) {
    entries.push({ key: Buffer.from(key).toString("base64"), len: value.length, sha256: sha256(value) });
  }
  return entries;
}

/**
 * What a reader must see, in that form: what the original's Scan saw, but for the one bucket where it shows an orphan's value
 * of a key that is deleted, as the original's own Get says.
 */
export function wanted(name) {
  const { entries, get_mismatches } = expected(name);
  const orphans = name === "orphan-equal-seq" ? get_mismatches.map(({ key }) => key) : [];
  return entries.filter(({ key }) => !orphans.includes(key)).map(({ key, len, sha256 }) => ({ key, len, sha256 }));
}

/** All that a reader sees of it, in the form of `tests/browser/lab/read.js`: entries, and the tables that it knows. */
export function whole(name) {
  const { l0, runs } = expected(name);
  const entries = wanted(name);
  return {
    entries,
    got: entries.map(({ sha256 }) => sha256),
    found: [],
    l0: l0.map(({ id }) => id),
    runs: runs.map(({ id, ssts }) => ({ id, ssts: ssts.map((table) => table.id) })),
  };
}

/** The keys of the script that made it, in base64, of which its reader found nothing. */
export function absent(name) {
  const live = new Set(wanted(name).map(({ key }) => key));
  const script = readFileSync(join(root, name, "ops.ndjson"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  // A key that a writer refused may be longer than a get takes.
  const keys = script.map(({ key }) => key).filter((key) => key && key.length < 80_000);
  return [...new Set(keys)].filter((key) => !live.has(key));
}
