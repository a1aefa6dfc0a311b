import type { RawMaintenance } from "./engine.js";
import { call, Handle, type Abortable, type Session } from "./session.js";

/** What maintenance does. */
export interface MaintenanceOptions {
  /** Who maintains, as others see it. Default `isledb`; a random part is appended. */
  owner?: string;
  /** Take the role from whoever holds it. Default: yes. */
  takeover?: boolean;
  /** Merge tables. Default: yes. */
  merge?: boolean;
  /** Delete what nothing needs any more; the source must list and delete. Default: yes. */
  gc?: boolean;
  /** So many flushed tables are merged into a run. Default: the engine's. */
  l0Tables?: number;
  /** Most tables that one merge reads: with 256 KiB of memory each. Default: the engine's. */
  maxInputs?: number;
  /**
   * Requests that the merges of one pass may make, by an estimate before each; garbage collection comes on top. A worker on
   * Cloudflare has 50, or 1,000 where it is paid for. Default: no bound.
   */
  maxRequests?: number;
  /** Bytes that one merge may hold, estimated the same way. Default 64 MiB. */
  maxMemoryBytes?: number;
}

/** One committed merge. */
export interface MergeReport {
  kind: "level0" | "runs" | "full";
  slot: number;
  tablesRead: number;
  tablesMoved: number;
  tablesWritten: number;
  bytesRead: number;
  bytesWritten: number;
  entriesRead: number;
  entriesWritten: number;
}

/** What one pass did. */
export interface MaintenanceReport {
  merges: MergeReport[];
  /** What still waits to be merged. */
  debt: { jobs: number; tables: number; bytes: number; l0Tables: number; runs: number };
  /** What was collected, where that was due. */
  gc?: {
    marked: number;
    waiting: number;
    tables: number;
    logEntries: number;
    snapshots: number;
    blobs: number;
    bytes: number;
  };
  waitsForWriter: boolean;
  /** Why the next merge was left for a larger host or another pass, where the budget was the reason. */
  overBudget?: string;
}

/** The one owner of maintenance: a cron worker opens it, runs a pass, and closes it. */
export class Maintenance {
  readonly #handle: Handle<RawMaintenance>;
  readonly #session: Session;

  /** @internal */
  constructor(raw: RawMaintenance, session: Session) {
    this.#handle = new Handle(raw, "maintenance owner");
    this.#session = session;
  }

  /**
   * Does what is due. `everything`: all tables into one run. Cost where nothing is due: 1 GET.
   *
   * Fails with `OverBudgetError` where the first merge does not fit the budget: it says what it needs.
   */
  runOnce({ everything = false, signal }: Abortable & { everything?: boolean } = {}): Promise<MaintenanceReport> {
    return call(this.#session.failures, signal, async (cancel) => this.#handle.raw.runOnce(everything, cancel)) as Promise<MaintenanceReport>;
  }

  /** Settles what is open and ends the owner. */
  async close(): Promise<void> {
    if (this.#handle.isClosed) return;
    await call(this.#session.failures, undefined, async () => this.#handle.raw.close());
    this.#handle.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
