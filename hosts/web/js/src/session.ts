import type { PersistentCacheStats } from "./cache/persistent.js";
import { ClosedError, InvalidArgumentError } from "./errors.js";
import { Failures, isEngineFailure } from "./failures.js";
import type { Meter } from "./meter.js";

/** What all handles that were opened together share. @internal */
export interface Session {
  readonly meter: Meter;
  readonly failures: Failures;
  readonly persistent: PersistentCacheStats;
}

/** What a call takes that may be given up. */
export interface Abortable {
  /** Gives the call up: its requests are cancelled, and it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Runs a call of the engine: gives it up with `signal`, and turns what the engine says into an error of its class.
 *
 * @internal
 */
export async function call<T>(
  failures: Failures,
  signal: AbortSignal | undefined,
  run: (cancel?: Promise<void>) => Promise<T>,
): Promise<T> {
  if (!signal) {
    try {
      return await run();
    } catch (raw) {
      throw failures.error(raw);
    }
  }
  signal.throwIfAborted();
  // Settled in the end whatever happens: the engine keeps what waits for it until then.
  let settle = () => {};
  const cancel = new Promise<void>((resolve) => (settle = resolve));
  signal.addEventListener("abort", settle, { once: true });
  try {
    return await run(cancel);
  } catch (raw) {
    if (isEngineFailure(raw) && raw.kind === "Cancelled") throw signal.reason;
    throw failures.error(raw);
  } finally {
    signal.removeEventListener("abort", settle);
    settle();
  }
}

/** A handle of the engine until it is closed. @internal */
export class Handle<T extends { free(): void }> {
  #raw: T | undefined;
  readonly #what: string;

  constructor(raw: T, what: string) {
    this.#raw = raw;
    this.#what = what;
  }

  /** Errors: `ClosedError`. */
  get raw(): T {
    if (!this.#raw) throw new ClosedError(`the ${this.#what} is closed`);
    return this.#raw;
  }

  get isClosed(): boolean {
    return this.#raw === undefined;
  }

  /** Frees it; what is under way goes on by itself. The handle, where it was still open. */
  close(before?: (raw: T) => void): void {
    const raw = this.#raw;
    this.#raw = undefined;
    if (!raw) return;
    before?.(raw);
    raw.free();
  }
}

/** Refuses what is no string and no bytes, which JavaScript would turn into something. @internal */
export function keyBytes(key: unknown, name = "key"): Uint8Array {
  if (typeof key === "string") return new TextEncoder().encode(key);
  if (key instanceof Uint8Array) return key;
  throw new InvalidArgumentError(`${name} is ${key === null ? "null" : typeof key}, a string or a Uint8Array is wanted`);
}
