import { CorruptError, InvalidArgumentError, NotFoundError } from "../errors.js";
import { type GetOptions, type GetResult, type ObjectStore, StoreError } from "../store.js";
import { contentVersion } from "./content_version.js";

/** What is used of a `File`. */
export interface FileLike extends Blob {
  readonly name: string;
  readonly lastModified: number;
  /** Set by a folder input, and by whoever walks a dropped folder. */
  readonly webkitRelativePath?: string;
}

/** A bucket of files by their paths. The prefix is found by CURRENT's place where none is given. */
export function filesStore(files: ArrayLike<FileLike>, prefix?: string): { store: ObjectStore; prefix: string } {
  const byKey = new Map<string, FileLike>();
  for (const file of Array.from(files)) byKey.set(file.webkitRelativePath || file.name, file);
  const store: ObjectStore = {
    async get(key: string, options: GetOptions): Promise<GetResult> {
      const file = byKey.get(key);
      if (!file) throw new NotFoundError(`${key}: not among the files`, { object: key });
      return fileResult(key, file, options);
    },
  };
  return { store, prefix: prefix ?? rootOf(byKey.keys()) };
}

/** The folder in which `manifest/CURRENT` lies. */
function rootOf(keys: Iterable<string>): string {
  const roots = [...keys].filter((key) => /(^|\/)manifest\/CURRENT$/.test(key)).map((key) => key.slice(0, -"/manifest/CURRENT".length));
  if (roots.length <= 1) return roots[0] ?? "";
  throw new InvalidArgumentError(`the files hold ${roots.length} databases: ${roots.slice(0, 5).join(", ")}`, {
    hint: "Say which with `prefix`.",
  });
}

/** What a get of a file answers. CURRENT has its content as version, since two writes may have one time. */
export async function fileResult(key: string, file: FileLike, { range, ifNoneMatch, fresh }: GetOptions): Promise<GetResult> {
  const whole = range ?? { start: 0, end: file.size };
  if (whole.end > file.size) {
    const message = `${key}: bytes ${whole.start} to ${whole.end} were asked for, the file has ${file.size}`;
    throw new CorruptError(message, { object: key, offset: whole.start });
  }
  const body = fresh ? new Uint8Array(await file.arrayBuffer()) : file.slice(whole.start, whole.end);
  const version = body instanceof Uint8Array ? contentVersion(body) : `${file.size}-${file.lastModified}`;
  if (ifNoneMatch === version) throw new StoreError("not-modified", `${key}: not modified`);
  const meta = { key, size: file.size, version, lastModifiedMs: file.lastModified };
  const bytes = body instanceof Uint8Array ? body.subarray(whole.start, whole.end) : body;
  return { meta, range: whole, body: bytes };
}
