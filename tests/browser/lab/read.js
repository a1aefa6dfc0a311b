// Reads a whole database through the package, as a program would: for a window and a worker of a browser, and for workerd.

const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const sha256 = async (bytes) => Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** {entries, got, found, l0, runs}: by a scan, by one get of all keys at once, which of `others` are found, and the tables. */
export async function readAll(Reader, source, others) {
  const reader = await Reader.open(source);
  const keys = [];
  const entries = [];
  for await (const { key, value } of reader.scan()) {
    keys.push(key.slice());
    entries.push({ key: base64(key), len: value.length, sha256: await sha256(value.slice()) });
  }
  const got = await Promise.all((await reader.getMany(keys)).map(async (value) => value && sha256(value)));
  const found = await reader.getMany(others.map((key) => Uint8Array.from(atob(key), (c) => c.charCodeAt(0))));
  const view = reader.view();
  reader[Symbol.dispose]();
  return {
    entries,
    got,
    found: others.filter((_, i) => found[i] !== undefined),
    l0: view.l0.map((table) => table.id),
    runs: view.runs.map((run) => ({ id: run.id, ssts: run.tables.map((table) => table.id) })),
  };
}
