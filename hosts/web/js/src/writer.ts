import type { RawWriter } from "./engine.js";
import { call, Handle, keyBytes, type Abortable, type Session } from "./session.js";

/** How to write. */
export interface WriterOptions {
  /** Who writes, as others see it. Default `isledb`; a random part is appended. */
  owner?: string;
  /** Take the role from whoever holds it. Default: yes. Off: `FencedError` where it was ever taken. */
  takeover?: boolean;
  /** Bytes of writes that make one table. Default 4 MiB. */
  memtableBytes?: number;
  /** Values from this size on are objects of their own. Default 256 KiB. */
  blobThresholdBytes?: number;
  /** How often `run()` commits. Default 1,000. */
  flushIntervalMs?: number;
  /** Sets how long readers may use one view. Default: leave it. */
  maxViewAgeMs?: number;
  /** Sets how far the change feed reaches back. Default: leave it. */
  changeRetentionMs?: number;
}

/** How to put. */
export interface PutOptions {
  /** The value is gone so long after this call, in milliseconds. */
  ttlMs?: number;
}

/** One operation of a batch: without a value it deletes. */
export interface BatchOperation {
  key: string | Uint8Array;
  value?: string | Uint8Array;
  ttlMs?: number;
}

/**
 * The one writer. A write is in memory when its promise resolves; it is durable and visible once {@link Writer.flush} did.
 *
 * Nothing runs by itself: call `flush`, or keep `run()` going where a background task may (in workerd `ctx.waitUntil`).
 */
export class Writer {
  readonly #handle: Handle<RawWriter>;
  readonly #session: Session;

  /** @internal */
  constructor(raw: RawWriter, session: Session) {
    this.#handle = new Handle(raw, "writer");
    this.#session = session;
  }

  /** Sets a key. Its sequence number. Cost: none, unless too much waits to be committed. */
  put(key: string | Uint8Array, value: string | Uint8Array, { ttlMs }: PutOptions = {}): Promise<bigint> {
    return this.batch([{ key, value, ttlMs }]);
  }

  /** Deletes a key. Cost as {@link Writer.put}. */
  delete(key: string | Uint8Array): Promise<bigint> {
    return this.batch([{ key }]);
  }

  /** Writes all operations in one commit, or none. The sequence number of the last. At most 64 MiB. */
  batch(operations: Iterable<BatchOperation>): Promise<bigint> {
    return call(this.#session.failures, undefined, async () => {
      const list = Array.from(operations, ({ key, value, ttlMs }) => ({
        key: keyBytes(key),
        value: value === undefined ? undefined : keyBytes(value, "value"),
        ttlMs,
      }));
      return this.#handle.raw.write(list);
    });
  }

  /**
   * Commits everything written so far. The sequence number up to which all is committed.
   *
   * Cost: for each table three requests in series; with blobs one put each.
   */
  flush(): Promise<bigint> {
    return call(this.#session.failures, undefined, async () => this.#handle.raw.flush());
  }

  /** Commits by size and time until the signal is aborted, or the writer ends: rejects with why. */
  run({ signal }: Abortable = {}): Promise<void> {
    return call(this.#session.failures, signal, async (cancel) => this.#handle.raw.run(cancel));
  }

  /** Commits everything and ends the writer. After an error it may be called again. */
  async close(): Promise<void> {
    if (this.#handle.isClosed) return;
    await call(this.#session.failures, undefined, async () => this.#handle.raw.close());
    this.#handle.close();
  }

  /** Of the last write that was accepted. */
  get lastSequence(): bigint {
    return this.#handle.raw.lastSequence;
  }

  /** Everything up to it is committed. */
  get committedSequence(): bigint {
    return this.#handle.raw.committedSequence;
  }

  /** What would be lost now. */
  get uncommittedBytes(): number {
    return this.#handle.raw.uncommittedBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
