import type { CallOptions, GetOptions, GetResult, ListOptions, ObjectStore, PutOptions } from "./store.js";

/** What was asked of a store. */
export interface RequestCounts {
  get: number;
  head: number;
  put: number;
  list: number;
  delete: number;
  /** CORS preflights, by the rules that browsers go by; a browser does not tell. */
  preflight: number;
}

/** What it cost. */
export interface Cost {
  requests: RequestCounts;
  /** Bytes of bodies that arrived. */
  bytesRead: number;
  /** Bytes of bodies that were sent. */
  bytesWritten: number;
  /** The longest chain of requests of which each began after the one before it had ended. */
  roundTrips: number;
}

/** Counts what passes between the engine and its store. */
export class Meter {
  readonly #cost: Cost = {
    requests: { get: 0, head: 0, put: 0, list: 0, delete: 0, preflight: 0 },
    bytesRead: 0,
    bytesWritten: 0,
    roundTrips: 0,
  };
  #endedDepth = 0;

  /** Everything so far. */
  cost(): Cost {
    return { ...this.#cost, requests: { ...this.#cost.requests } };
  }

  /** Counts a request that begins now. */
  begin(kind: keyof RequestCounts): MeteredRequest {
    this.#cost.requests[kind] += 1;
    const depth = this.#endedDepth + 1;
    this.#cost.roundTrips = Math.max(this.#cost.roundTrips, depth);
    let ended = false;
    return {
      read: (bytes) => (this.#cost.bytesRead += bytes),
      wrote: (bytes) => (this.#cost.bytesWritten += bytes),
      end: () => {
        if (ended) return;
        ended = true;
        this.#endedDepth = Math.max(this.#endedDepth, depth);
      },
    };
  }
}

/** A request under way. */
export interface MeteredRequest {
  read(bytes: number): void;
  wrote(bytes: number): void;
  /** It is over, whatever came of it. */
  end(): void;
}

/** The same store, counted. */
export function metered(inner: ObjectStore, meter: Meter): ObjectStore {
  const counted = async <T>(kind: keyof RequestCounts, bytes: number, run: () => Promise<T>): Promise<T> => {
    const request = meter.begin(kind);
    request.wrote(bytes);
    try {
      return await run();
    } finally {
      request.end();
    }
  };
  const store: ObjectStore = {
    async get(key: string, options: GetOptions): Promise<GetResult> {
      const request = meter.begin("get");
      try {
        const got = await inner.get(key, options);
        return { ...got, body: countedBody(got, request) };
      } catch (error) {
        request.end();
        throw error;
      }
    },
  };
  const { head, put, list } = inner;
  if (head) store.head = (key: string, options: CallOptions) => counted("head", 0, () => head.call(inner, key, options));
  if (put) {
    store.put = (key: string, body: Uint8Array, options: PutOptions) =>
      counted("put", body.length, () => put.call(inner, key, body, options));
  }
  if (list) store.list = (prefix: string, options: ListOptions) => counted("list", 0, () => list.call(inner, prefix, options));
  const remove = inner.delete;
  if (remove) {
    store.delete = (keys: string[], options: CallOptions) =>
      counted("delete", 0, () => remove.call(inner, keys, options));
  }
  return store;
}

/** A body whose bytes count when they come; the request ends with it. */
function countedBody(got: GetResult, request: MeteredRequest): GetResult["body"] {
  const { body, range } = got;
  if (!(body instanceof ReadableStream)) {
    // It comes as one piece: whoever takes it takes all of it.
    request.read(range.end - range.start);
    request.end();
    return body;
  }
  const pieces = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await pieces.read();
        if (done) {
          request.end();
          controller.close();
        } else {
          request.read(value.length);
          controller.enqueue(value);
        }
      } catch (error) {
        request.end();
        controller.error(error);
      }
    },
    async cancel(reason) {
      request.end();
      await pieces.cancel(reason);
    },
  });
}
