import type { CachePlace } from "./persistent.js";

/**
 * The Cache API: pages and workers of secure origins, workerd. What was kept first goes first where the bound is reached; the
 * bound counts what this page kept and found, so several pages may keep that much each.
 */
export function cacheApi(maxBytes: number, name = "isledb"): CachePlace {
  let bytesKept = 0;
  const sizes = new Map<string, number>();
  const open = () => caches.open(name);
  const url = (key: string) => `https://cache.isledb.invalid/${encodeURIComponent(key)}`;
  return {
    async get(key) {
      const found = await (await open()).match(url(key));
      return found && new Uint8Array(await found.arrayBuffer());
    },
    async put(key, bytes) {
      if (bytes.length > maxBytes) return;
      const cache = await open();
      for (const [oldest, size] of sizes) {
        if (bytesKept + bytes.length <= maxBytes) break;
        sizes.delete(oldest);
        bytesKept -= size;
        await cache.delete(url(oldest));
      }
      sizes.set(key, bytes.length);
      bytesKept += bytes.length;
      const headers = { "cache-control": "max-age=31536000", "content-length": String(bytes.length) };
      await cache.put(url(key), new Response(bytes as BodyInit, { headers }));
    },
  };
}
