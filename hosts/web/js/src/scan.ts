import type { RawScan } from "./engine.js";
import { call, Handle, type Session } from "./session.js";

/** Sizes of pages, in bytes: the first comes soon, the later ones are worth their call. */
const PAGE_BYTES = { first: 16 * 1024, most: 256 * 1024 };

const decoder = new TextDecoder();

/** A key with its value. Both are views of a page of at most some 256 KiB: `slice()` what you keep for long. */
export class Entry {
  constructor(
    readonly key: Uint8Array,
    /** Empty in a scan of keys only. */
    readonly value: Uint8Array,
  ) {}

  /** The key as UTF-8. */
  get keyText(): string {
    return decoder.decode(this.key);
  }

  /** The value as UTF-8. */
  get text(): string {
    return decoder.decode(this.value);
  }
}

/**
 * The entries of a range, of one view. `break` out of a loop, `return()` and an aborted signal free it; so does its end.
 *
 * A loop over {@link Scan.pages} costs less than one over entries.
 */
export class Scan implements AsyncIterableIterator<Entry> {
  readonly #session: Session;
  readonly #open: () => Promise<RawScan>;
  readonly #keysOnly: boolean;
  readonly #signal: AbortSignal | undefined;
  #scan: Handle<RawScan> | undefined;
  #page: Entry[] = [];
  #at = 0;
  #pageBytes = PAGE_BYTES.first;
  #ended = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(session: Session, open: () => Promise<RawScan>, keysOnly: boolean, signal?: AbortSignal) {
    this.#session = session;
    this.#open = open;
    this.#keysOnly = keysOnly;
    this.#signal = signal;
  }

  /** The next entry. Calls that overlap are answered in their order. */
  next(): Promise<IteratorResult<Entry, undefined>> {
    const ready = this.#take();
    if (ready) return Promise.resolve(ready);
    return this.#inTurn(async () => this.#take() ?? ((await this.#load()) ? this.#take()! : END));
  }

  /** The entries by pages of what is there at once: the fastest way to read many. */
  async *pages(): AsyncGenerator<Entry[], void, undefined> {
    try {
      for (;;) {
        const page = await this.#inTurn(async () => {
          if (this.#at >= this.#page.length) await this.#load();
          const page = this.#page.slice(this.#at);
          this.#at = this.#page.length;
          return page;
        });
        if (page.length === 0) return;
        yield page;
      }
    } finally {
      this.#end();
    }
  }

  /** Ends the scan and frees it. */
  async return(): Promise<IteratorResult<Entry, undefined>> {
    this.#end();
    this.#at = this.#page.length;
    return END;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The rest as an array. */
  async toArray(): Promise<Entry[]> {
    const all: Entry[] = [];
    for await (const page of this.pages()) all.push(...page);
    return all;
  }

  #take(): IteratorResult<Entry, undefined> | undefined {
    const value = this.#page[this.#at];
    if (!value) return this.#ended ? END : undefined;
    this.#at += 1;
    return { done: false, value };
  }

  /** Brings the next page. False at the end. */
  async #load(): Promise<boolean> {
    if (this.#ended) return false;
    try {
      this.#scan ??= new Handle(await this.#open(), "scan");
      const scan = this.#scan;
      const { bytes, ends } = await call(this.#session.failures, this.#signal, (cancel) =>
        scan.raw.nextPage(this.#pageBytes, this.#keysOnly, cancel),
      );
      this.#pageBytes = Math.min(this.#pageBytes * 2, PAGE_BYTES.most);
      this.#page = entriesOf(bytes, ends);
      this.#at = 0;
      if (this.#page.length === 0) this.#end();
      return this.#page.length > 0;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    this.#ended = true;
    this.#scan?.close();
    this.#scan = undefined;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

function entriesOf(bytes: Uint8Array, ends: Uint32Array): Entry[] {
  const entries: Entry[] = [];
  let start = 0;
  for (let at = 0; at + 1 < ends.length; at += 2) {
    const key = ends[at]!;
    const value = ends[at + 1]!;
    entries.push(new Entry(bytes.subarray(start, key), bytes.subarray(key, value)));
    start = value;
  }
  return entries;
}
