import type { PersistentCacheStats } from "./cache/persistent.js";
import type { Cost } from "./meter.js";

/** What a view holds: the fields of `isledb stat --json`. Sequence numbers and LSNs are `bigint`; what is not known is `undefined`. */
export interface ViewInfo {
  /** Opaque: equal for equal states. */
  version: string;
  prefix: string;
  /** There is a database. */
  exists: boolean;
  /** How long ago it was read, or was known to be the newest. */
  ageMs: number;
  /** How long it may still be read; then the next read refreshes. */
  expiresInMs: number;
  readAtMs: number;
  /** The next log slot to be decided. */
  nextSeq: number;
  logSeqStart: number;
  snapshot?: string;
  /** The lowest sequence number above every committed one. */
  nextSequence: bigint;
  maxCommittedLsn?: bigint;
  lowWatermarkLsn?: bigint;
  /** The oldest slot that the change feed reaches back to. */
  feedFloorSeq?: number;
  changeRetentionMs?: number;
  maxViewAgeMs: number;
  writer?: OwnerInfo;
  maintenance?: OwnerInfo;
  /** How many tables there are. */
  tables: number;
  /** Bytes of all tables. */
  bytes: number;
  entries?: number;
  deletes?: number;
  /** Flushed tables, the newest first. */
  l0: TableInfo[];
  /** Merged tables: those of one run do not overlap. */
  runs: { id: number; bytes: number; tables: TableInfo[] }[];
}

/** Who holds a role. */
export interface OwnerInfo {
  owner: string;
  epoch: number;
  claimedAtMs: number;
}

/** One table. */
export interface TableInfo {
  /** Name of its object under `sstable/`. */
  id: string;
  /** 0 for what a writer flushed, 1 for tables of a run. */
  level: number;
  epoch: number;
  bytes: number;
  bloomBytes: number;
  minKey: Uint8Array;
  maxKey: Uint8Array;
  seqLo: bigint;
  seqHi: bigint;
  createdAtMs: number;
  entries?: number;
  deletes?: number;
  minExpiresAtMs?: number;
  maxExpiresAtMs?: number;
  hasBlobs: boolean;
  signed: boolean;
  checksum: string;
}

/** Why a get answers as it does: the fields of `isledb why --json`. */
export interface WhyInfo {
  key: Uint8Array;
  answer: "value" | "deleted" | "expired" | "nothing";
  expiredAtMs?: number;
  /** Every table: level 0 from the newest on, then the runs. */
  sources: WhySource[];
}

/** What one table says of a key. */
export interface WhySource {
  table: string;
  object: string;
  /** `undefined` in level 0. */
  run?: number;
  minKey: Uint8Array;
  maxKey: Uint8Array;
  seqLo: bigint;
  seqHi: bigint;
  inRange: boolean;
  /** What its filters say; `undefined`: they were not asked. */
  filter?: "maybe" | "absent";
  partition?: number;
  blockOffset?: number;
  blockLength?: number;
  /** The newest first; at most 64. */
  versions: WhyVersion[];
  moreVersions: boolean;
  /** Why it takes no part. */
  skipped?: "range" | "filter" | "sequence";
  winner: boolean;
}

/** One version of a key. */
export interface WhyVersion {
  op: "put" | "delete";
  sequence: bigint;
  /** Of a value in the table. */
  bytes?: number;
  /** The blob that holds the value. */
  blob?: string;
  expiresAtMs?: number;
  blockOffset: number;
}

/** What reading cost so far. */
export interface Stats extends Cost {
  /** The cache of decoded blocks. */
  cache: CacheStats;
  /** The persistent cache, where there is one. */
  persistent: PersistentCacheStats;
}

/** A cache in memory. */
export interface CacheStats {
  hits: number;
  misses: number;
  evictions: number;
  entries: number;
  bytes: number;
  capacityBytes: number;
}
