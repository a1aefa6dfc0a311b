// How fast WebAssembly scans, on one core: node hosts/web/js/bench/scan.mjs, after a build of the package.
// Time is this process's own, so that a busy machine does not count; best of several. The native engine on the same rows:
// cargo bench -p isledb-core --bench read.
import { Database, MemoryStore } from "isledb/full";

const ROWS = 400_000;
const value = new Uint8Array(100).fill(46);
const db = await Database.open({ store: new MemoryStore() });
const writer = await db.writer();
for (let from = 0; from < ROWS; from += 1000) {
  const rows = Array.from({ length: 1000 }, (_, i) => ({ key: `key${String(from + i).padStart(13, "0")}`, value }));
  await writer.batch(rows);
}
await writer.flush();
await writer.close();

/** The best MB/s of some runs of `scan`, which returns bytes. */
async function best(scan) {
  let best = 0;
  for (let run = 0; run < 5; run += 1) {
    const before = process.cpuUsage();
    const bytes = await scan();
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, bytes / (user + system));
  }
  return best.toFixed(0);
}

const warm = await db.reader({ cacheBytes: 256 << 20 });
const pages = (reader) => async () => {
  let bytes = 0;
  for await (const page of reader.scan().pages()) for (const { key, value } of page) bytes += key.length + value.length;
  return bytes;
};
console.log(`warm scan by pages: ${await best(pages(warm))} MB/s`);
const cold = await db.reader({ cacheBytes: 0 });
console.log(`scan without a cache: ${await best(pages(cold))} MB/s`);
