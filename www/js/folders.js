// Finds the databases in a folder that was dropped or chosen. A database is where manifest/CURRENT is.

/** Deeper than any prefix that people use; a home folder dropped by mistake is not walked for long. */
const DEPTH_MAX = 6;
const FOLDERS_MAX = 2000;

/** Prefixes below a FileSystemDirectoryHandle. */
export async function databasesIn(handle) {
  const found = [];
  const queue = [{ folder: handle, path: [] }];
  for (let seen = 0; queue.length > 0 && seen < FOLDERS_MAX; seen++) {
    const { folder, path } = queue.shift();
    if (await holdsCurrent(folder)) {
      found.push(path.join("/"));
      continue;
    }
    if (path.length === DEPTH_MAX) continue;
    for await (const [name, entry] of folder.entries()) {
      if (entry.kind === "directory") queue.push({ folder: entry, path: [...path, name] });
    }
  }
  return found;
}

async function holdsCurrent(folder) {
  try {
    await (await folder.getDirectoryHandle("manifest")).getFileHandle("CURRENT");
    return true;
  } catch (error) {
    if (error.name === "NotFoundError" || error.name === "TypeMismatchError") return false;
    throw error;
  }
}

/** Prefixes in a list of files that were chosen as a folder; its own name comes first in each. */
export function databasesAmong(files) {
  const end = "/manifest/CURRENT";
  return [...files]
    .map((file) => file.webkitRelativePath)
    .filter((path) => path.endsWith(end))
    .map((path) => path.slice(0, -end.length))
    .sort();
}

/** The files below a dropped entry of the older interface, each with the path that a chosen one would have. */
export async function filesOf(entry, path = entry.name) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    Object.defineProperty(file, "webkitRelativePath", { value: path });
    return [file];
  }
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    // A reader gives a hundred entries at a time, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return files;
    for (const child of some) files.push(...(await filesOf(child, `${path}/${child.name}`)));
  }
}
