import { isImmutable } from "../bridge.js";
import { bytesOf } from "../sources/body.js";
import type { GetOptions, GetResult, ObjectStore } from "../store.js";

/** Bodies above this size are not kept. */
const MAX_ENTRY_BYTES = 4 * 1024 * 1024;

/** A place for bytes that outlives the page. All methods may fail: then the store is asked. */
export interface CachePlace {
  /** The bytes, as they were kept; `undefined` where there are none. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Keeps them, and makes room within the bound. */
  put(name: string, bytes: Uint8Array): Promise<void>;
}

/** What a persistent cache did. */
export interface PersistentCacheStats {
  hits: number;
  misses: number;
  /** Entries that were not what had been kept. */
  damaged: number;
}

/**
 * The same store, with ranges of immutable objects kept in `place`: tables and blobs, never CURRENT, the log or a snapshot.
 * A damaged entry is a miss.
 *
 * `address` tells buckets apart: whoever can read the cache of one must not get what is another's.
 */
export function cached(inner: ObjectStore, place: CachePlace, address: string, stats: PersistentCacheStats): ObjectStore {
  return {
    ...inner,
    async get(key: string, options: GetOptions): Promise<GetResult> {
      const { range, ifNoneMatch } = options;
      const size = range && range.end - range.start;
      if (!isKept(key) || !range || size === undefined || size > MAX_ENTRY_BYTES || ifNoneMatch) return inner.get(key, options);
      const name = `${address}/${key}?${range.start}-${range.end}`;
      const kept = await place.get(name).then((bytes) => bytes && unsealed(bytes, size, stats)).catch(() => undefined);
      if (kept) {
        stats.hits += 1;
        return { meta: { key, size: range.end, version: "" }, range, body: kept };
      }
      stats.misses += 1;
      const got = await inner.get(key, options);
      if (got.range.start !== range.start || got.range.end !== range.end) return got;
      const body = await bytesOf(got.body);
      // Nobody waits for it, and a full disk is no failure of a read.
      if (body.length === size) place.put(name, sealed(body)).catch(() => {});
      return { ...got, body };
    },
  };
}

/** Tables and blobs: what is named by its content or written under a name that is never used again. */
function isKept(key: string): boolean {
  return isImmutable(key) && /(^|\/)(sstable|blobs)\//.test(key);
}

/** The bytes with their checksum in front. */
function sealed(bytes: Uint8Array): Uint8Array {
  const entry = new Uint8Array(bytes.length + 8);
  new DataView(entry.buffer).setUint32(0, adler(bytes));
  new DataView(entry.buffer).setUint32(4, bytes.length);
  entry.set(bytes, 8);
  return entry;
}

function unsealed(entry: Uint8Array, size: number, stats: PersistentCacheStats): Uint8Array | undefined {
  const bytes = entry.subarray(8);
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  if (entry.length === size + 8 && view.getUint32(4) === size && view.getUint32(0) === adler(bytes)) return bytes;
  stats.damaged += 1;
  return undefined;
}

/** Adler-32: enough against accidents, cheap in JavaScript; each block has a checksum of its own below. */
function adler(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + 3800, bytes.length);
    for (; at < end; at += 1) {
      a += bytes[at]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}
