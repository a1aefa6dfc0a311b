import type { RawDatabase, RawReader } from "./engine.js";
import type { Stats, ViewInfo, WhyInfo } from "./info.js";
import { openDatabase } from "./open.js";
import { Scan } from "./scan.js";
import { call, Handle, keyBytes, type Abortable, type Session } from "./session.js";
import type { Source, SourceOptions } from "./source.js";
import { Tail } from "./tail.js";

/** How to open. */
export interface OpenOptions extends Abortable, SourceOptions {
  /** Bound of the cache of decoded blocks in memory, in bytes. Default 32 MiB. */
  cacheBytes?: number;
  /** Refresh before a read when the view is older than this. Default: only when the database itself says so. */
  refreshAfterMs?: number;
  /** How long a call may take, repeated requests included. Default 60,000. */
  timeoutMs?: number;
  /** How long one attempt of a request may take until it answers. Default 15,000. */
  attemptTimeoutMs?: number;
  /** What a scan may hold ahead, in stored bytes. Default 8 MiB; at least 64 KiB. */
  readAheadBytes?: number;
  /** Compare the SHA-256 of each table with the manifest when it is opened, which reads it whole. Default: no. */
  verifyChecksums?: boolean;
  /**
   * Ed25519 public keys of 32 bytes: only tables that one of them signed are read. Needs `isledb/verify` or `isledb/full`.
   * Each table is read whole once.
   */
  trustedKeys?: Uint8Array[];
}

/** What to scan. A range is half-open: `start` is in it, `end` is not. */
export interface ScanOptions extends Abortable {
  /** Only keys that begin so; within the bounds too. */
  prefix?: string | Uint8Array;
  start?: string | Uint8Array;
  end?: string | Uint8Array;
  /** At most so many entries. */
  limit?: number;
  /** From the last key to the first. */
  reverse?: boolean;
  /** Leave the values out of the entries: less is copied, nothing less is fetched. */
  keysOnly?: boolean;
}

/** What to follow. */
export interface TailOptions extends Abortable {
  /** Behind this change; from the oldest that is kept; from now on (default); the present state first, then its changes. */
  from?: "begin" | "now" | "bootstrap" | (string & {});
  prefix?: string | Uint8Array;
  start?: string | Uint8Array;
  end?: string | Uint8Array;
  /** How long to wait between two looks while changes come. Default 500. */
  pollMs?: number;
  /** How long in the end when none come. Default 5,000, or `pollMs` where that is more. */
  idlePollMs?: number;
  /** How many bytes of entries of one table are in memory; a larger table is read several times. Default 64 MiB. */
  maxBufferBytes?: number;
}

/** A value with what the database knows of it. */
export interface ValueEntry {
  value: Uint8Array;
  /** Of the write that put it. */
  sequence: bigint;
  /** When it stops to exist, Unix milliseconds. */
  expiresAtMs?: number;
}

/** A value in pieces. */
export interface ValueStream {
  /** Bytes of the whole value. */
  size: number;
  /** Cancel it if you do not read it to its end. */
  body: ReadableStream<Uint8Array>;
}

/**
 * Reads a database: committed data, as of a view that is refreshed by `refresh()` and when it is too old. It only gets named
 * objects: it never lists, and needs no right but to GET.
 *
 * Every method rejects with an {@link IsleError}: its class says what happened, its `hint` what to do.
 */
export class Reader {
  readonly #handle: Handle<RawReader>;
  readonly #session: Session;

  private constructor(raw: RawReader, session: Session) {
    this.#handle = new Handle(raw, "reader");
    this.#session = session;
  }

  /**
   * Opens the database at a source. It need not exist: then it reads as empty, and `view().exists` says so.
   *
   * Cost: 1 GET, 2 round trips at most; the WebAssembly is loaded once.
   */
  static async open(source: Source, options: OpenOptions = {}): Promise<Reader> {
    const { database, session } = await openDatabase("reader", source, options);
    try {
      return await Reader.of(database, session, options.signal);
    } finally {
      database.free();
    }
  }

  /** @internal */
  static async of(database: RawDatabase, session: Session, signal?: AbortSignal): Promise<Reader> {
    return new Reader(await call(session.failures, signal, (cancel) => database.reader(cancel)), session);
  }

  /**
   * The live value of `key`, or `undefined`.
   *
   * Cost with a cold cache: at most three round trips, one more for a value above 64 KiB; none with a warm one.
   */
  get(key: string | Uint8Array, options: Abortable = {}): Promise<Uint8Array | undefined> {
    return this.#call(options, (raw, cancel) => raw.get(keyBytes(key), cancel));
  }

  /** The live value of `key` as text, or `undefined`. Cost as {@link Reader.get}. */
  async getText(key: string | Uint8Array, options: Abortable = {}): Promise<string | undefined> {
    const value = await this.get(key, options);
    return value && new TextDecoder().decode(value);
  }

  /** The live value of `key` with its sequence number and expiry, or `undefined`. Cost as {@link Reader.get}. */
  getEntry(key: string | Uint8Array, options: Abortable = {}): Promise<ValueEntry | undefined> {
    return this.#call(options, (raw, cancel) => raw.getEntry(keyBytes(key), cancel)) as Promise<ValueEntry | undefined>;
  }

  /**
   * The live values of many keys, in their order, all of one view.
   *
   * Cost: the round trips of a single get, whatever the number of keys; neighbours are fetched by one request.
   */
  getMany(keys: Iterable<string | Uint8Array>, options: Abortable = {}): Promise<(Uint8Array | undefined)[]> {
    return this.#call(options, (raw, cancel) => raw.getMany(Array.from(keys, (key) => keyBytes(key)), cancel));
  }

  /** The live value of `key` in pieces, for what is too large to be held whole; or `undefined`. Cost as {@link Reader.get}. */
  async getStream(key: string | Uint8Array, options: Abortable = {}): Promise<ValueStream | undefined> {
    const raw = await this.#call(options, (raw, cancel) => raw.getStream(keyBytes(key), cancel));
    if (!raw) return undefined;
    const stream = new Handle(raw, "value");
    const ending = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await call(this.#session.failures, signal, (cancel) => stream.raw.next(cancel));
          if (piece) controller.enqueue(piece);
          else {
            stream.close();
            controller.close();
          }
        },
        cancel: () => {
          ending.abort();
          stream.close();
        },
      },
      { highWaterMark: 0 },
    );
    return { size: raw.size, body };
  }

  /**
   * The live entries of a range, in key order: `for await (const { keyText, value } of reader.scan({ prefix: "user/" }))`.
   * Nothing is read before the first entry is asked for.
   *
   * Cost: three round trips until the first entry, then reads of growing size that run ahead.
   */
  scan(options: ScanOptions = {}): Scan {
    const range = { ...options, ...rangeOf(options) };
    const open = () => this.#call(options, (raw, cancel) => raw.scan(range, cancel));
    return new Scan(this.#session, open, options.keysOnly ?? false, options.signal);
  }

  /**
   * The change feed: each committed write once, in order, without an end.
   *
   * Cost: 1 GET of CURRENT to begin, then one each `pollMs` to `idlePollMs`, shared by all tails of this reader; about one GET
   * for each flush that has wanted keys.
   */
  tail(options: TailOptions = {}): Tail {
    const range = { ...options, ...rangeOf(options) };
    const open = () => this.#call(options, (raw, cancel) => raw.tail(range, cancel));
    return new Tail(this.#session, open, options.signal);
  }

  /** Looks for a newer view; true if there is one. What was committed before the call is visible after it. Cost: 1 GET. */
  refresh(options: Abortable = {}): Promise<boolean> {
    return this.#call(options, (raw, cancel) => raw.refresh(cancel));
  }

  /** What the manifest says of the view: tables, owners, sizes, age. Cost: none. */
  view(): ViewInfo {
    try {
      return this.#handle.raw.view() as ViewInfo;
    } catch (raw) {
      throw this.#session.failures.error(raw);
    }
  }

  /** Why a get of `key` answers as it does, table by table. Cost: a get that looks into every table whose range has the key. */
  why(key: string | Uint8Array, options: Abortable = {}): Promise<WhyInfo> {
    return this.#call(options, (raw, cancel) => raw.why(keyBytes(key), cancel)) as Promise<WhyInfo>;
  }

  /** What was asked of the store so far, by this reader and all its scopes. */
  stats(): Stats {
    const cache = this.#handle.raw.cacheStats() as Stats["cache"];
    return { ...this.#session.meter.cost(), cache, persistent: { ...this.#session.persistent } };
  }

  /**
   * A reader of the same views and caches that never waits for a promise of another scope.
   *
   * For workerd, where a request must not await what another one began: keep one reader for the isolate, and use
   * `reader.scoped()` once in each request. Closing the scope leaves the reader as it is.
   */
  scoped(): Reader {
    return new Reader(this.#handle.raw.scoped(), this.#session);
  }

  /** Frees it. What is under way may still end; anything new is a `ClosedError`. */
  close(): void {
    this.#handle.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #call<T>({ signal }: Abortable, run: (raw: RawReader, cancel?: Promise<void>) => Promise<T>): Promise<T> {
    return call(this.#session.failures, signal, (cancel) => run(this.#handle.raw, cancel));
  }
}

/** The keys of a range as bytes. */
function rangeOf({ prefix, start, end }: Pick<ScanOptions, "prefix" | "start" | "end">) {
  return {
    prefix: prefix === undefined ? undefined : keyBytes(prefix, "prefix"),
    start: start === undefined ? undefined : keyBytes(start, "start"),
    end: end === undefined ? undefined : keyBytes(end, "end"),
  };
}
