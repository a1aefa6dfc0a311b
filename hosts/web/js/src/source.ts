import { InvalidArgumentError } from "./errors.js";
import { metered, type Meter } from "./meter.js";
import { cacheApi } from "./cache/cache_api.js";
import { opfs } from "./cache/opfs.js";
import { cached, type CachePlace, type PersistentCacheStats } from "./cache/persistent.js";
import type { Engine } from "./engine.js";
import { Failures, isEngineFailure } from "./failures.js";
import { filesStore, type FileLike } from "./sources/files.js";
import { FolderStore } from "./sources/folder.js";
import { HttpStore } from "./sources/http.js";
import { R2Store, type R2BucketLike } from "./sources/r2.js";
import { S3Store, type S3Bucket } from "./sources/s3.js";
import { TicketStore, ticketText, type DecodedTicket, type TicketSource } from "./sources/ticket.js";
import type { ObjectStore } from "./store.js";

/** Where a database is. */
export type Source =
  | string
  | URL
  | UrlSource
  | SignSource
  | TicketSource
  | S3Source
  | R2Source
  | FolderSource
  | FilesSource
  | StoreSource;

/** A bucket that speaks S3, with credentials. */
export interface S3Source {
  s3: S3Bucket;
  prefix?: string;
}

/** The binding of an R2 bucket, in a Cloudflare worker. */
export interface R2Source {
  r2: R2BucketLike;
  prefix?: string;
}

/** A folder that a person chose: `await showDirectoryPicker()`. */
export interface FolderSource {
  folder: FileSystemDirectoryHandle;
  prefix?: string;
}

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

/** Options that say where and what to keep. */
export interface SourceOptions {
  /** Where the database lies in the source; behind the path of a base URL. */
  prefix?: string;
  /**
   * Keeps parts of tables and blobs beyond this page, never what changes: `cache-api` or `opfs` (origins with https), or a place
   * of your own. Default: none.
   */
  cache?: "cache-api" | "opfs" | CachePlace;
  /** Bound of that cache, in bytes. Default 256 MiB. */
  persistentBytes?: number;
}

/** The default of `persistentBytes`. */
const PERSISTENT_BYTES = 256 * 1024 * 1024;

/** The store behind a source, counted, with its cache. @internal */
export async function resolve(
  source: Source,
  options: SourceOptions & { signal?: AbortSignal },
  meter: Meter,
  engine: Pick<Engine, "decodeTicket">,
  stats: PersistentCacheStats,
): Promise<Resolved> {
  const { store, prefix, address } = await bare(source, options, meter, engine);
  if (options.cache === undefined) return { store, prefix };
  return { store: cached(store, placeOf(options), address, stats), prefix };
}

function placeOf({ cache, persistentBytes = PERSISTENT_BYTES }: SourceOptions): CachePlace {
  if (!Number.isInteger(persistentBytes) || persistentBytes < 0) {
    throw new InvalidArgumentError(`persistentBytes is ${persistentBytes}, a whole number is wanted`);
  }
  if (cache === "cache-api" || cache === "opfs") return cache === "opfs" ? opfs(persistentBytes) : cacheApi(persistentBytes);
  if (typeof cache?.get === "function" && typeof cache.put === "function") return cache;
  throw new InvalidArgumentError(`cache is ${String(cache)}; it may be "cache-api", "opfs", or an object with get and put`);
}

/** `address` tells buckets apart. */
async function bare(
  source: Source,
  options: SourceOptions & { signal?: AbortSignal },
  meter: Meter,
  engine: Pick<Engine, "decodeTicket">,
): Promise<Resolved & { address: string }> {
  if (typeof source === "string" || source instanceof URL) return atUrl({ url: source }, options, meter);
  if (typeof source !== "object" || source === null) throw unknown(source);
  const prefix = options.prefix ?? (source as { prefix?: string }).prefix ?? "";
  const at = (store: ObjectStore, address: string, found = prefix) => ({ store: metered(store, meter), prefix: found, address });
  if ("url" in source) return atUrl(source, options, meter);
  if ("sign" in source) {
    const { sign } = source;
    const url = async (method: string, key: string, query: string) => new URL(await sign(method, key, query));
    // Whose bucket it is can be told by where its first object lies, without what signs it.
    const { origin, pathname } = options.cache ? await url("GET", prefix, "") : { origin: "", pathname: "" };
    return at(new HttpStore(meter, async (method, key, query) => ({ url: await url(method, key, query) })), `${origin}${pathname}`);
  }
  if ("ticket" in source) {
    const ticket = decoded(engine, await ticketText(source, meter, options.signal));
    // The store counts what it sends: CURRENT may come without a request.
    return { store: new TicketStore(ticket, source.follow, meter), prefix: ticket.prefix, address: addressOf(ticket) };
  }
  if ("s3" in source) {
    const { endpoint = "", bucket, region = "" } = source.s3;
    return at(new S3Store(source.s3, meter), `s3:${endpoint}:${region}:${bucket}`);
  }
  if ("r2" in source) return at(new R2Store(source.r2), "r2");
  if ("folder" in source) return at(new FolderStore(source.folder), `folder:${source.folder.name}`);
  if ("files" in source) {
    const { store, prefix: found } = filesStore(source.files, options.prefix ?? source.prefix);
    return at(store, "files", found);
  }
  if ("store" in source) {
    if (typeof (source.store as ObjectStore | null)?.get !== "function") {
      throw new InvalidArgumentError("a store must have a method `get(key, options)`");
    }
    return at(source.store, "store");
  }
  throw unknown(source);
}

function decoded(engine: Pick<Engine, "decodeTicket">, text: string): DecodedTicket {
  try {
    return engine.decodeTicket(text) as DecodedTicket;
  } catch (raw) {
    throw isEngineFailure(raw) ? new Failures().error(raw) : raw;
  }
}

/** Where the objects of a ticket lie, without what signs them. */
function addressOf({ objects, prefix }: DecodedTicket): string {
  const [first] = objects.values();
  return `${first ? new URL(first).origin : "ticket"}:${prefix}`;
}

function atUrl({ url, headers }: UrlSource, options: { prefix?: string }, meter: Meter): Resolved & { address: string } {
  const base = parsed(url);
  const path = base.pathname.split("/").filter((segment) => segment !== "").map(decodeURIComponent).join("/");
  const prefix = [path, options.prefix ?? ""].filter((part) => part !== "").join("/");
  const store = new HttpStore(meter, async (_method, key, query) => {
    const address = new URL(base);
    address.pathname = key.split("/").map(encodeURIComponent).join("/");
    if (query) address.search += (address.search ? "&" : "?") + query;
    return { url: address, headers };
  });
  return { store: metered(store, meter), prefix, address: base.origin };
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
    hint: "A source is a base URL, or an object with one of: url, sign, ticket, s3, r2, folder, files, store.",
  });
}
