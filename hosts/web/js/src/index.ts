/**
 * IsleDB in JavaScript: a key-value database in a bucket, read straight from it.
 *
 * ```ts
 * import { Reader } from "isledb";
 * using reader = await Reader.open("https://bucket.example.com/db");
 * await reader.getText("greeting");
 * for await (const { keyText, text } of reader.scan({ prefix: "user/" })) console.log(keyText, text);
 * ```
 *
 * @module
 */
export * from "./errors.js";
export type * from "./info.js";
export type { Cost, RequestCounts } from "./meter.js";
export { Reader, type OpenOptions, type ScanOptions, type TailOptions, type ValueEntry, type ValueStream } from "./reader.js";
export { Entry, Scan } from "./scan.js";
export type { Abortable } from "./session.js";
export type { CachePlace, PersistentCacheStats } from "./cache/persistent.js";
export type {
  FilesSource,
  FolderSource,
  R2Source,
  S3Source,
  SignSource,
  Source,
  SourceOptions,
  StoreSource,
  UrlSource,
} from "./source.js";
export type { FileLike } from "./sources/files.js";
export { FolderStore } from "./sources/folder.js";
export type { R2BucketLike, R2ObjectLike } from "./sources/r2.js";
export type { S3Bucket } from "./sources/s3.js";
export type { TicketSource } from "./sources/ticket.js";
export { MemoryStore } from "./sources/memory.js";
export * from "./store.js";
export { Tail, type Change } from "./tail.js";
