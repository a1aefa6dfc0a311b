import { CorruptError, NotFoundError, UnavailableError } from "../errors.js";
import {
  type GetOptions,
  type GetResult,
  type ListOptions,
  type ListPage,
  type ObjectMeta,
  type ObjectStore,
  type PutOptions,
  StoreError,
} from "../store.js";

/** What is used of the binding of an R2 bucket in a Cloudflare worker. */
export interface R2BucketLike {
  get(key: string, options?: object): Promise<(R2ObjectLike & { body?: ReadableStream<Uint8Array> }) | null>;
  head(key: string): Promise<R2ObjectLike | null>;
  put(key: string, value: Uint8Array, options?: object): Promise<R2ObjectLike | null>;
  list(options?: object): Promise<{ objects: R2ObjectLike[]; truncated: boolean }>;
  delete(keys: string[]): Promise<void>;
}

/** One object of R2. */
export interface R2ObjectLike {
  key: string;
  size: number;
  etag: string;
  uploaded: Date;
}

/** What R2 deletes at once. */
const MAX_DELETES = 1000;

/** A bucket binding. It is strongly consistent, and no request leaves the data centre's network. */
export class R2Store implements ObjectStore {
  readonly #bucket: R2BucketLike;

  constructor(bucket: R2BucketLike) {
    this.#bucket = bucket;
  }

  async get(key: string, { range, ifNoneMatch }: GetOptions): Promise<GetResult> {
    const options: { range?: object; onlyIf?: object } = {};
    if (range) options.range = { offset: range.start, length: range.end - range.start };
    if (ifNoneMatch) options.onlyIf = { etagDoesNotMatch: ifNoneMatch };
    const got = await said(key, this.#bucket.get(key, options)).catch(async (error: unknown) => {
      // A range behind the end is an error whose words depend on the runtime; the size tells.
      const object = range && (await this.#bucket.head(key).catch(() => null));
      throw range && object && range.start >= object.size ? beyond(key, range, object.size) : error;
    });
    if (!got) throw new NotFoundError(`${key}: not found`, { object: key });
    const part = range ?? { start: 0, end: got.size };
    if (!got.body) throw new StoreError("not-modified", `${key}: not modified`);
    if (part.end > got.size) {
      await got.body.cancel();
      throw beyond(key, part, got.size);
    }
    return { meta: metaOf(got), range: part, body: got.body };
  }

  async head(key: string): Promise<ObjectMeta> {
    const got = await said(key, this.#bucket.head(key));
    if (!got) throw new NotFoundError(`${key}: not found`, { object: key });
    return metaOf(got);
  }

  async put(key: string, body: Uint8Array, { condition }: PutOptions): Promise<{ version: string }> {
    const onlyIf = { none: undefined, "if-absent": { etagDoesNotMatch: "*" }, "if-match": undefined }[condition.kind];
    const options = condition.kind === "if-match" ? { onlyIf: { etagMatches: condition.version } } : onlyIf && { onlyIf };
    const put = await said(key, this.#bucket.put(key, body, options));
    if (!put) throw new StoreError("precondition", `${key}: the condition of the write did not hold`);
    return { version: put.etag };
  }

  async list(prefix: string, { startAfter }: ListOptions): Promise<ListPage> {
    const page = await said(prefix, this.#bucket.list({ prefix, startAfter }));
    return { objects: page.objects.map(metaOf), more: page.truncated };
  }

  async delete(keys: string[]): Promise<null[]> {
    for (let at = 0; at < keys.length; at += MAX_DELETES) {
      await said(keys[at] ?? "", this.#bucket.delete(keys.slice(at, at + MAX_DELETES)));
    }
    return keys.map(() => null);
  }
}

function metaOf({ key, size, etag, uploaded }: R2ObjectLike): ObjectMeta {
  return { key, size, version: etag, lastModifiedMs: uploaded.getTime() };
}

function beyond(key: string, range: { start: number }, size: number): CorruptError {
  return new CorruptError(`${key}: the range reaches beyond its ${size} bytes`, { object: key, offset: range.start });
}

/** What a binding throws says no more than a message. */
async function said<T>(key: string, request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (cause) {
    const message = `${key}: R2: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new UnavailableError(message, { object: key, cause });
  }
}
