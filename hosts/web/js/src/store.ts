/**
 * A place for objects: the one interface between the engine and JavaScript. A reader needs `get` alone.
 *
 * Keys are full keys, `/`-separated, without a leading slash. Nothing here repeats a request: the engine does.
 */
export interface ObjectStore {
  /**
   * Reads an object, or a range of it, after its latest completed write. One request.
   *
   * Fails with `not-found`, `not-modified` (where `ifNoneMatch` names the present version), `permission`, `unavailable`,
   * and with `corrupt` where the range reaches beyond the object.
   */
  get(key: string, options: GetOptions): Promise<GetResult>;
  /** Meta data without the body. Readers never call it. Fails with `not-found`. */
  head?(key: string, options: CallOptions): Promise<ObjectMeta>;
  /** Writes a whole object, decided by the store together with its condition. Fails with `precondition`. */
  put?(key: string, body: Uint8Array, options: PutOptions): Promise<{ version: string }>;
  /** One page of the objects whose keys begin with `prefix` and lie above `startAfter`, in bytewise order. */
  list?(prefix: string, options: ListOptions): Promise<ListPage>;
  /** Deletes objects; a missing one is a success. One answer a key, in order. */
  delete?(keys: string[], options: CallOptions): Promise<(StoreError | null)[]>;
}

/** What every request gets. */
export interface CallOptions {
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** How to read. */
export interface GetOptions extends CallOptions {
  /** Half-open: the bytes from `start` up to `end`, which is not included. Without it the whole object. */
  range?: { start: number; end: number };
  /** Fail with `not-modified` if the object has this version. */
  ifNoneMatch?: string;
  /** No cache may answer: the object is one that changes. */
  fresh?: boolean;
}

/** How to write. */
export interface PutOptions extends CallOptions {
  /** `if-absent`: only if there is no such object. `if-match`: only if it has this version. */
  condition: { kind: "none" } | { kind: "if-absent" } | { kind: "if-match"; version: string };
}

/** What to list. */
export interface ListOptions extends CallOptions {
  /** The last key of the page before. */
  startAfter?: string;
}

/** One page of a listing. */
export interface ListPage {
  /** In bytewise order of their keys. */
  objects: ObjectMeta[];
  /** More may follow behind the last of them. */
  more: boolean;
}

/** What a store knows of an object. */
export interface ObjectMeta {
  /** Full key. */
  key: string;
  /** Bytes of the whole object. */
  size: number;
  /** Equal versions of one key mean equal content. A get always has it. */
  version?: string;
  /** By the store's own clock, Unix milliseconds. */
  lastModifiedMs?: number;
}

/** The answer to a get. */
export interface GetResult {
  /** Of the whole object. */
  meta: ObjectMeta;
  /** The bytes that `body` has, as a range of the object. */
  range: { start: number; end: number };
  /** The bytes. */
  body: Uint8Array | ReadableStream<Uint8Array> | Blob | Response;
}

/** What a store may fail with. */
export type StoreCode =
  | "not-found"
  | "precondition"
  | "not-modified"
  | "permission"
  | "unavailable"
  | "corrupt"
  | "unsupported";

/**
 * What a store of your own throws. The engine repeats reads that fail with `unavailable`, and nothing else. Anything else that
 * is thrown counts as `unavailable`.
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** What it means. */
  readonly code: StoreCode;

  constructor(code: StoreCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Trying again may help. */
  get retryable(): boolean {
    return this.code === "unavailable";
  }
}
