import type { RawTail } from "./engine.js";
import { call, Handle, type Session } from "./session.js";

/** Changes that are handed over at once. */
const BATCH_ENTRIES = 1024;

/** One committed write. */
export interface Change {
  /** Keep it beside what the change did, and go on behind it: `tail({ from: cursor })`. */
  cursor: string;
  /** Of the write. Ascends; during a bootstrap the keys ascend instead. */
  sequence: bigint;
  op: "put" | "delete";
  key: Uint8Array;
  /** What was put. */
  value?: Uint8Array;
  /** When it stops to exist, Unix milliseconds. */
  expiresAtMs?: number;
}

/**
 * The change feed: each committed write once, in the order of commits. It has no end: `break`, `return()` and an aborted signal
 * free it. It reads only while somebody waits for the next change.
 */
export class Tail implements AsyncIterableIterator<Change> {
  readonly #session: Session;
  readonly #open: () => Promise<RawTail>;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  #tail: Handle<RawTail> | undefined;
  #batch: Change[] = [];
  #at = 0;
  #ended = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(session: Session, open: () => Promise<RawTail>, signal?: AbortSignal) {
    this.#session = session;
    this.#open = open;
    this.#signal = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal;
  }

  /** The next change; waits until there is one. */
  next(): Promise<IteratorResult<Change, undefined>> {
    const mine = this.#turn.then(() => this.#take());
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Ends the tail and frees it; a `next()` that waits is answered with the end. */
  async return(): Promise<IteratorResult<Change, undefined>> {
    this.#end();
    return END;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #take(): Promise<IteratorResult<Change, undefined>> {
    if (this.#at >= this.#batch.length && !this.#ended) {
      try {
        await this.#load();
      } catch (error) {
        const returned = this.#ended;
        this.#end();
        if (!returned) throw error;
      }
    }
    const value = this.#ended ? undefined : this.#batch[this.#at];
    if (!value) return END;
    this.#at += 1;
    return { done: false, value };
  }

  async #load(): Promise<void> {
    this.#tail ??= new Handle(await this.#open(), "tail");
    const tail = this.#tail;
    const batch = await call(this.#session.failures, this.#signal, (cancel) => tail.raw.nextBatch(BATCH_ENTRIES, cancel));
    this.#batch = batch as Change[];
    this.#at = 0;
  }

  #end(): void {
    this.#ended = true;
    this.#ending.abort();
    this.#tail?.close();
    this.#tail = undefined;
  }
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };
