import { NotFoundError, PermissionError, UnavailableError } from "../errors.js";
import {
  type CallOptions,
  type GetOptions,
  type GetResult,
  type ListOptions,
  type ListPage,
  type ObjectMeta,
  type ObjectStore,
  type PutOptions,
  StoreError,
} from "../store.js";
import { contentVersion } from "./content_version.js";
import { fileResult } from "./files.js";
import { bytewise } from "./memory.js";

/** Objects of one page of a listing. */
const PAGE = 1000;

/**
 * A folder that a person chose (File System Access). Conditions of writes hold among the pages and workers of one origin in one
 * browser, by a lock: nothing else may write there at the same time.
 */
export class FolderStore implements ObjectStore {
  readonly #root: FileSystemDirectoryHandle;

  constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  async get(key: string, options: GetOptions): Promise<GetResult> {
    return fileResult(key, await this.#file(key), options);
  }

  async head(key: string, _options?: CallOptions): Promise<ObjectMeta> {
    const file = await this.#file(key);
    const version = contentVersion(new Uint8Array(await file.arrayBuffer()));
    return { key, size: file.size, version, lastModifiedMs: file.lastModified };
  }

  async put(key: string, body: Uint8Array, { condition }: Pick<PutOptions, "condition">): Promise<{ version: string }> {
    return navigator.locks.request(`isledb ${this.#root.name}/${key}`, async () => {
      const present = condition.kind === "none" ? undefined : await this.#version(key);
      const holds =
        condition.kind === "none" || (condition.kind === "if-absent" ? present === undefined : present === condition.version);
      if (!holds) throw new StoreError("precondition", `${key}: the condition of the write did not hold`);
      return said(key, async () => {
        const { folder, name } = await this.#place(key, true);
        const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
        await writable.write(body as FileSystemWriteChunkType);
        // The file is replaced as a whole now, and not before.
        await writable.close();
        return { version: contentVersion(body) };
      });
    });
  }

  async list(prefix: string, { startAfter = "" }: Partial<ListOptions> = {}): Promise<ListPage> {
    const keys: string[] = [];
    await said(prefix, () => collect(this.#root, "", prefix, keys));
    const page = keys.filter((key) => key.startsWith(prefix) && bytewise(key, startAfter) > 0).sort(bytewise);
    const objects = await Promise.all(
      page.slice(0, PAGE).map(async (key) => {
        const file = await this.#file(key);
        return { key, size: file.size, lastModifiedMs: file.lastModified };
      }),
    );
    return { objects, more: page.length > PAGE };
  }

  async delete(keys: string[], _options?: CallOptions): Promise<(StoreError | null)[]> {
    return Promise.all(
      keys.map(async (key) => {
        try {
          await said(key, async () => {
            const { folder, name } = await this.#place(key, false);
            await folder.removeEntry(name);
          });
          return null;
        } catch (error) {
          if (error instanceof NotFoundError) return null;
          const code = error instanceof PermissionError ? "permission" : "unavailable";
          return new StoreError(code, String(error), { cause: error });
        }
      }),
    );
  }

  async #version(key: string): Promise<string | undefined> {
    try {
      return (await this.head(key)).version;
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  async #place(key: string, create: boolean): Promise<{ folder: FileSystemDirectoryHandle; name: string }> {
    const folders = key.split("/");
    const name = folders.pop()!;
    let folder = this.#root;
    for (const step of folders) folder = await folder.getDirectoryHandle(step, { create });
    return { folder, name };
  }

  #file(key: string): Promise<File> {
    return said(key, async () => {
      const { folder, name } = await this.#place(key, false);
      return (await folder.getFileHandle(name)).getFile();
    });
  }
}

/** The keys below `folder` that may begin with `prefix`. */
async function collect(folder: FileSystemDirectoryHandle, path: string, prefix: string, keys: string[]): Promise<void> {
  for await (const [name, entry] of folder.entries()) {
    const key = path + name;
    if (entry.kind === "file") keys.push(key);
    else if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`)) {
      await collect(entry as FileSystemDirectoryHandle, `${key}/`, prefix, keys);
    }
  }
}

async function said<T>(key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const details = { object: key, cause };
    const name = cause instanceof DOMException ? cause.name : "";
    if (name === "NotFoundError" || name === "TypeMismatchError") throw new NotFoundError(`${key}: not found`, details);
    if (name === "NotAllowedError" || name === "SecurityError") {
      throw new PermissionError(`${key}: the browser does not allow it`, {
        ...details,
        hint: "Let the person choose the folder again, with `mode: \"readwrite\"` for writing.",
      });
    }
    throw new UnavailableError(`${key}: ${String(cause)}`, details);
  }
}
