import { CorruptError, UnsupportedError } from "./errors.js";
import type { Failures } from "./failures.js";
import type { GetResult, ObjectMeta, ObjectStore, StoreError } from "./store.js";

/** A body up to this size is taken as one piece. */
const ONE_PIECE_BYTES = 1024 * 1024;

/**
 * An object store as the engine's WebAssembly calls it (`hosts/web/src/js.rs`): plain numbers and strings, calls that can be
 * cancelled, errors that are remembered. It checks what a store of somebody else's answers.
 */
export class Bridge {
  readonly #store: ObjectStore;
  readonly #failures: Failures;

  constructor(store: ObjectStore, failures: Failures) {
    this.#store = store;
    this.#failures = failures;
  }

  get(key: string, start?: number, end?: number, known?: string): Call<Got> {
    return this.#call(key, async (controller) => {
      const { signal } = controller;
      const range = start === undefined || end === undefined ? undefined : { start, end };
      const fresh = !isImmutable(key);
      const got = await this.#store.get(key, { range, ifNoneMatch: known, fresh, signal });
      const answer = new Got(checked(key, got), controller, (run) => this.#call(key, run));
      if (signal.aborted) answer.close();
      return answer;
    });
  }

  head(key: string): Call<ObjectMeta> {
    return this.#call(key, ({ signal }) => this.#method("head", key)(key, { signal }));
  }

  put(key: string, body: Uint8Array, kind: "none" | "if-absent" | "if-match", version?: string): Call<string> {
    return this.#call(key, async ({ signal }) => {
      const condition = kind === "if-match" ? { kind, version: version ?? "" } : { kind };
      const put = await this.#method("put", key)(key, body, { condition, signal });
      return put.version;
    });
  }

  list(prefix: string, startAfter?: string): Call<{ objects: ObjectMeta[]; more: boolean }> {
    return this.#call(prefix, ({ signal }) => this.#method("list", prefix)(prefix, { startAfter, signal }));
  }

  delete(keys: string[]): Call<(unknown | null)[]> {
    const first = keys[0] ?? "";
    return this.#call(first, async ({ signal }) => {
      const answers: (StoreError | null)[] = await this.#method("delete", first)(keys, { signal });
      return keys.map((key, at) => (answers[at] ? this.#failures.note(key, answers[at]) : null));
    });
  }

  #method<Name extends "head" | "put" | "list" | "delete">(name: Name, key: string): NonNullable<ObjectStore[Name]> {
    const method = this.#store[name];
    if (!method) throw new UnsupportedError(`this source has no \`${name}\``, { object: key });
    return method.bind(this.#store) as NonNullable<ObjectStore[Name]>;
  }

  #call<T>(key: string, run: (controller: AbortController) => Promise<T>): Call<T> {
    return new Call(run, (thrown) => this.#failures.note(key, thrown));
  }
}

/** A request under way. Its promise settles also after it was cancelled, so that nothing waits for it forever. */
export class Call<T> {
  readonly answer: Promise<T>;
  readonly #controller = new AbortController();
  #settle: (reason: unknown) => void = () => {};

  constructor(run: (controller: AbortController) => Promise<T>, failed: (thrown: unknown) => unknown) {
    this.answer = new Promise((resolve, reject) => {
      this.#settle = reject;
      // What a store throws before its first await counts like any other failure.
      new Promise<T>((begun) => begun(run(this.#controller))).then(resolve, (thrown) => reject(failed(thrown)));
    });
  }

  cancel(): void {
    this.#controller.abort();
    this.#settle({ code: "unavailable", message: "cancelled" });
  }
}

/** What a get brought. */
export class Got {
  readonly size: number;
  readonly version: string;
  readonly lastModifiedMs: number | undefined;
  readonly start: number;
  readonly end: number;
  /** The body, where it is here already. */
  readonly bytes: Uint8Array | undefined;
  readonly #controller: AbortController;
  readonly #call: <T>(run: () => Promise<T>) => Call<T>;
  #body: Blob | Response | undefined;
  #pieces: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(got: GetResult, controller: AbortController, call: <T>(run: () => Promise<T>) => Call<T>) {
    const { meta, range, body } = got;
    this.size = meta.size;
    this.version = meta.version ?? "";
    this.lastModifiedMs = meta.lastModifiedMs;
    this.start = range.start;
    this.end = range.end;
    this.#controller = controller;
    this.#call = call;
    if (body instanceof Uint8Array) {
      this.bytes = body;
    } else if (body instanceof ReadableStream) {
      this.#pieces = body.getReader();
    } else if (range.end - range.start <= ONE_PIECE_BYTES) {
      this.#body = body;
    } else {
      this.#pieces = streamOf(body).getReader();
    }
  }

  next(): Call<Uint8Array | undefined> {
    return this.#call(async () => {
      if (this.#body) {
        const whole = this.#body;
        this.#body = undefined;
        return new Uint8Array(await whole.arrayBuffer());
      }
      const piece = await this.#pieces?.read();
      return piece?.done ? undefined : piece?.value;
    });
  }

  close(): void {
    this.#controller.abort();
    // Whoever closes does not want to hear of it.
    this.#pieces?.cancel().catch(() => {});
  }
}

function streamOf(body: Blob | Response): ReadableStream<Uint8Array> {
  const stream = body instanceof Blob ? body.stream() : body.body;
  return stream ?? new Blob([]).stream();
}

/** Everything but CURRENT and what maintenance remembers is written once. */
export function isImmutable(key: string): boolean {
  return !/(^|\/)manifest\/(CURRENT$|gc\/|probe\/)/.test(key);
}

/** What a store answered, as far as it can be told without its body. */
function checked(key: string, got: GetResult): GetResult {
  const { meta, range, body } = got;
  const whole = (number: unknown) => typeof number === "number" && Number.isInteger(number) && number >= 0;
  if (!whole(meta?.size) || !whole(range?.start) || !whole(range?.end) || range.end < range.start) {
    throw new CorruptError(`${key}: the store answered without a size or a range`, { object: key });
  }
  const known = body instanceof Uint8Array || body instanceof ReadableStream || body instanceof Blob || body instanceof Response;
  if (!known) throw new CorruptError(`${key}: the store answered with a body of no known type`, { object: key });
  return got;
}
