import { CorruptError, NoRangeSupportError } from "../errors.js";
import type { Meter } from "../meter.js";
import {
  type CallOptions,
  type GetOptions,
  type GetResult,
  type ObjectMeta,
  type ObjectStore,
  type PutOptions,
  StoreError,
} from "../store.js";
import { contentVersion, isOfContent } from "./content_version.js";
import { isCrossOrigin, unreachable } from "./cors.js";
import { Preflights } from "./preflight.js";
import { refusal } from "./refusal.js";

/** Where a request goes: its URL, and headers that it needs there. */
export interface Address {
  url: URL;
  headers?: Record<string, string>;
}

/** Says where a request for `key` goes; `query` is empty or `name=value&...`. */
export type Locate = (method: string, key: string, query: string, headers: Record<string, string>) => Promise<Address>;

/** Of an answer without the range that was asked for, the wanted part is cut out up to this size of the object. */
const MAX_WHOLE_BYTES = 1024 * 1024;

/** Objects over HTTP: GET with ranges and conditions, single PUTs, DELETE. */
export class HttpStore implements ObjectStore {
  readonly #meter: Meter;
  readonly #locate: Locate;
  readonly #preflights = new Preflights();

  constructor(meter: Meter, locate: Locate) {
    this.#meter = meter;
    this.#locate = locate;
  }

  async get(key: string, options: GetOptions): Promise<GetResult> {
    const { range, ifNoneMatch, fresh, signal } = options;
    const headers: Record<string, string> = {};
    if (range) headers["range"] = `bytes=${range.start}-${range.end - 1}`;
    if (ifNoneMatch && !isOfContent(ifNoneMatch)) headers["if-none-match"] = ifNoneMatch;
    const response = await this.request("GET", key, { headers, fresh, signal });
    switch (response.status) {
      case 200:
        return range ? cut(key, response, range) : whole(key, response, ifNoneMatch);
      case 206:
        if (range) return part(key, response, range);
        break;
      case 304:
        throw new StoreError("not-modified", `${key}: not modified`);
    }
    throw await refusal(key, response, "GET");
  }

  async head(key: string, { signal }: CallOptions): Promise<ObjectMeta> {
    const response = await this.request("HEAD", key, { signal });
    if (response.status !== 200) throw await refusal(key, response, "HEAD");
    return metaOf(key, response, lengthOf(response) ?? 0);
  }

  async put(key: string, body: Uint8Array, { condition, signal }: PutOptions): Promise<{ version: string }> {
    const headers: Record<string, string> = {};
    if (condition.kind === "if-absent") headers["if-none-match"] = "*";
    if (condition.kind === "if-match") headers["if-match"] = condition.version;
    const response = await this.request("PUT", key, { headers, body, signal });
    if (!response.ok) throw await refusal(key, response, "PUT", condition.kind === "if-match");
    await response.body?.cancel();
    return { version: response.headers.get("etag") ?? "" };
  }

  async delete(keys: string[], { signal }: CallOptions): Promise<(StoreError | null)[]> {
    return eachOf(keys, async (key) => {
      const response = await this.request("DELETE", key, { signal });
      if (response.ok || response.status === 404) {
        await response.body?.cancel();
        return null;
      }
      const error = await refusal(key, response, "DELETE");
      return new StoreError(response.status < 500 ? "permission" : "unavailable", error.message, { cause: error });
    });
  }

  /** Sends a request. Errors: what {@link unreachable} says. */
  async request(method: string, key: string, options: RequestOptions): Promise<Response> {
    const { headers = {}, query = "", body, fresh = false, signal } = options;
    const init: RequestInit = { method, signal };
    if (body) init.body = body as BodyInit;
    if (fresh) {
      if (takesCacheMode()) init.cache = "no-store";
      else headers["cache-control"] = "no-cache";
    }
    const address = await this.#locate(method, key, query, headers);
    init.headers = { ...headers, ...address.headers };
    if (isCrossOrigin(address.url) && this.#preflights.needed(method, address.url, init.headers)) {
      this.#meter.begin("preflight").end();
    }
    try {
      return await fetch(address.url, init);
    } catch (cause) {
      throw signal.aborted ? cause : await unreachable(key, address.url, cause, this.#meter);
    }
  }
}

export interface RequestOptions extends CallOptions {
  headers?: Record<string, string>;
  /** `name=value&...` */
  query?: string;
  body?: Uint8Array;
  /** No cache may answer. */
  fresh?: boolean;
}

/** Runs a few at a time. */
async function eachOf<T, R>(items: T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await run(items[at]!);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return results;
}

/** A 206. Where the page may not see Content-Range, the range is taken to be the one that was asked for. */
function part(key: string, response: Response, range: { start: number; end: number }): GetResult {
  const stated = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  const length = lengthOf(response) ?? range.end - range.start;
  const got = stated
    ? { start: Number(stated[1]), end: Number(stated[2]) + 1 }
    : { start: range.start, end: range.start + length };
  if (got.start !== range.start || got.end !== range.end) {
    const message = `${key}: bytes ${range.start} to ${range.end} were asked for, the store sent ${got.start} to ${got.end}`;
    throw new CorruptError(message, { object: key, offset: range.start });
  }
  const size = stated && stated[3] !== "*" ? Number(stated[3]) : got.end;
  return { meta: metaOf(key, response, size), range: got, body: response };
}

/** A 200 to a request with a range: the server does not do ranges. */
async function cut(key: string, response: Response, range: { start: number; end: number }): Promise<GetResult> {
  const length = lengthOf(response);
  const bytes = length === undefined || length <= MAX_WHOLE_BYTES ? await upTo(response, MAX_WHOLE_BYTES) : undefined;
  if (!bytes) {
    await response.body?.cancel();
    throw new NoRangeSupportError(`${key}: the server sent the whole object where a range was asked for`, { object: key });
  }
  if (range.end > bytes.length) {
    const message = `${key}: bytes ${range.start} to ${range.end} were asked for, the object has ${bytes.length}`;
    throw new CorruptError(message, { object: key, offset: range.start });
  }
  return { meta: metaOf(key, response, bytes.length), range, body: bytes.subarray(range.start, range.end) };
}

/**
 * A 200 to a request for the whole object. What it weighs is counted, since Content-Length is that of the compressed form where
 * a server compresses, and a page cannot always see that it does.
 */
async function whole(key: string, response: Response, known: string | undefined): Promise<GetResult> {
  const length = lengthOf(response);
  if (length !== undefined && length > MAX_WHOLE_BYTES && !response.headers.get("content-encoding")) {
    return { meta: metaOf(key, response, length), range: { start: 0, end: length }, body: response };
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  const meta = metaOf(key, response, bytes.length);
  meta.version ||= contentVersion(bytes);
  if (known && known === meta.version) throw new StoreError("not-modified", `${key}: not modified`);
  return { meta, range: { start: 0, end: bytes.length }, body: bytes };
}

/** The body, if it has at most `limit` bytes. */
async function upTo(response: Response, limit: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > limit) {
      await reader.cancel();
      return undefined;
    }
    pieces.push(value);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function metaOf(key: string, response: Response, size: number): ObjectMeta {
  const modified = Date.parse(response.headers.get("last-modified") ?? "");
  const version = response.headers.get("etag") ?? "";
  return { key, size, version, lastModifiedMs: Number.isNaN(modified) ? undefined : modified };
}

function lengthOf(response: Response): number | undefined {
  const length = response.headers.get("content-length");
  return length === null || !/^\d+$/.test(length) ? undefined : Number(length);
}

/** Some workers refuse a Request with a cache mode. */
let cacheMode: boolean | undefined;
function takesCacheMode(): boolean {
  if (cacheMode === undefined) {
    try {
      cacheMode = new Request("https://isledb.invalid/", { cache: "no-store" }).cache === "no-store";
    } catch {
      cacheMode = false;
    }
  }
  return cacheMode;
}
