import { InvalidArgumentError } from "./errors.js";
import { metered, type Meter } from "./meter.js";
import { filesStore, type FileLike } from "./sources/files.js";
import { HttpStore } from "./sources/http.js";
import type { ObjectStore } from "./store.js";

/** Where a database is. */
export type Source = string | URL | UrlSource | SignSource | FilesSource | StoreSource;

/** A base URL: its path is the prefix, its query is sent with each request. */
export interface UrlSource {
  url: string | URL;
  /** Headers for each request, such as `Authorization`. */
  headers?: Record<string, string>;
}

/** A callback that signs requests. */
export interface SignSource {
  /**
   * The URL for one request: `path` is the full key, `query` is empty or `name=value&...`. Called for each request, so sign what
   * lives for a minute, or keep what you signed for as long as it lives.
   */
  sign(method: string, path: string, query: string): string | URL | Promise<string | URL>;
  prefix?: string;
}

/** Files that a person chose or dropped: a `FileList`, or an array of `File`. */
export interface FilesSource {
  files: ArrayLike<FileLike>;
  prefix?: string;
}

/** Any object with the interface. */
export interface StoreSource {
  store: ObjectStore;
  prefix?: string;
}

/** A source as the engine needs it. @internal */
export interface Resolved {
  store: ObjectStore;
  prefix: string;
}

/** @internal */
export async function resolve(source: Source, options: { prefix?: string }, meter: Meter): Promise<Resolved> {
  if (typeof source === "string" || source instanceof URL) return atUrl({ url: source }, options, meter);
  if (typeof source !== "object" || source === null) throw unknown(source);
  const prefix = options.prefix ?? (source as { prefix?: string }).prefix ?? "";
  if ("url" in source) return atUrl(source, options, meter);
  if ("sign" in source) {
    const { sign } = source;
    const store = new HttpStore(meter, async (method, key, query) => ({ url: new URL(await sign(method, key, query)) }));
    return { store: metered(store, meter), prefix };
  }
  if ("files" in source) {
    const { store, prefix: found } = filesStore(source.files, options.prefix ?? source.prefix);
    return { store: metered(store, meter), prefix: found };
  }
  if ("store" in source) return { store: metered(source.store, meter), prefix };
  throw unknown(source);
}

function atUrl({ url, headers }: UrlSource, options: { prefix?: string }, meter: Meter): Resolved {
  const base = parsed(url);
  const path = base.pathname.split("/").filter((segment) => segment !== "").map(decodeURIComponent).join("/");
  const prefix = [path, options.prefix ?? ""].filter((part) => part !== "").join("/");
  const store = new HttpStore(meter, async (_method, key, query) => {
    const address = new URL(base);
    address.pathname = key.split("/").map(encodeURIComponent).join("/");
    if (query) address.search += (address.search ? "&" : "?") + query;
    return { url: address, headers };
  });
  return { store: metered(store, meter), prefix };
}

function parsed(url: string | URL): URL {
  const page = (globalThis as { location?: { href?: string } }).location?.href;
  let address;
  try {
    address = new URL(url, page);
  } catch (cause) {
    throw new InvalidArgumentError(`${JSON.stringify(String(url))} is no URL`, { cause });
  }
  if (address.protocol !== "https:" && address.protocol !== "http:") {
    throw new InvalidArgumentError(`${address.protocol} is no protocol for a base URL`, {
      hint: "Use https://, a folder handle, files, S3 credentials, or a store of your own.",
    });
  }
  address.hash = "";
  return address;
}

function unknown(source: unknown): InvalidArgumentError {
  const got = typeof source === "object" && source !== null ? `{ ${Object.keys(source).join(", ")} }` : String(source);
  return new InvalidArgumentError(`${got} is no source`, {
    hint: "A source is a base URL, or an object with one of: url, sign, files, store.",
  });
}
