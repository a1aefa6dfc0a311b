import type { CachePlace } from "./persistent.js";

/** The origin private file system: pages and workers of secure origins. The oldest files go first where the bound is reached. */
export function opfs(maxBytes: number, name = "isledb"): CachePlace {
  let folder: Promise<FileSystemDirectoryHandle> | undefined;
  let sizes: Promise<Map<string, number>> | undefined;
  const open = () => (folder ??= navigator.storage.getDirectory().then((root) => root.getDirectoryHandle(name, { create: true })));
  const known = () => (sizes ??= open().then(survey));
  return {
    async get(key) {
      const handle = await (await open()).getFileHandle(await fileName(key));
      return new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async put(key, bytes) {
      if (bytes.length > maxBytes) return;
      const [place, kept, file] = await Promise.all([open(), known(), fileName(key)]);
      let total = bytes.length;
      for (const size of kept.values()) total += size;
      for (const [oldest, size] of kept) {
        if (total <= maxBytes) break;
        kept.delete(oldest);
        total -= size;
        await place.removeEntry(oldest).catch(() => {});
      }
      kept.set(file, bytes.length);
      const writable = await (await place.getFileHandle(file, { create: true })).createWritable();
      await writable.write(bytes as FileSystemWriteChunkType);
      await writable.close();
    },
  };
}

/** Sizes of the files that are there, the oldest first. */
async function survey(folder: FileSystemDirectoryHandle): Promise<Map<string, number>> {
  const found: File[] = [];
  for await (const entry of folder.values()) {
    if (entry.kind === "file") found.push(await (entry as FileSystemFileHandle).getFile());
  }
  found.sort((one, other) => one.lastModified - other.lastModified);
  return new Map(found.map((file) => [file.name, file.size]));
}

/** Names of files are short, keys are not. */
async function fileName(key: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
