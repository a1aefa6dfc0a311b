import { CorruptError, NotFoundError } from "../errors.js";
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

/** Objects of one page of a listing. */
const PAGE = 1000;

/** A bucket in memory: for tests, demonstrations, and scratch data. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, { body: Uint8Array; version: string; modified: number }>();
  #versions = 0;

  async get(key: string, { range, ifNoneMatch }: GetOptions): Promise<GetResult> {
    const { body, version, modified } = this.#find(key);
    if (ifNoneMatch === version) throw new StoreError("not-modified", `${key}: not modified`);
    const part = range ?? { start: 0, end: body.length };
    if (part.end > body.length) {
      throw new CorruptError(`${key}: the range reaches beyond its ${body.length} bytes`, { object: key, offset: part.start });
    }
    const meta = { key, size: body.length, version, lastModifiedMs: modified };
    return { meta, range: part, body: body.slice(part.start, part.end) };
  }

  async head(key: string, _options?: CallOptions): Promise<ObjectMeta> {
    const { body, version, modified } = this.#find(key);
    return { key, size: body.length, version, lastModifiedMs: modified };
  }

  async put(key: string, body: Uint8Array, { condition }: Pick<PutOptions, "condition">): Promise<{ version: string }> {
    const present = this.#objects.get(key);
    const holds = condition.kind === "none" || (condition.kind === "if-absent" ? !present : present?.version === condition.version);
    if (!holds) throw new StoreError("precondition", `${key}: the condition of the write did not hold`);
    const version = String(++this.#versions);
    this.#objects.set(key, { body: body.slice(), version, modified: Date.now() });
    return { version };
  }

  async list(prefix: string, { startAfter = "" }: Partial<ListOptions> = {}): Promise<ListPage> {
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && bytewise(key, startAfter) > 0).sort(bytewise);
    const objects = await Promise.all(keys.slice(0, PAGE).map((key) => this.head(key)));
    return { objects, more: keys.length > PAGE };
  }

  async delete(keys: string[], _options?: CallOptions): Promise<null[]> {
    return keys.map((key) => {
      this.#objects.delete(key);
      return null;
    });
  }

  #find(key: string) {
    const found = this.#objects.get(key);
    if (!found) throw new NotFoundError(`${key}: not found`, { object: key });
    return found;
  }
}

/** The order of the keys' UTF-8, which is not that of JavaScript's strings. */
export function bytewise(one: string, other: string): number {
  const [a, b] = [new TextEncoder().encode(one), new TextEncoder().encode(other)];
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    if (a[at] !== b[at]) return a[at]! - b[at]!;
  }
  return a.length - b.length;
}
