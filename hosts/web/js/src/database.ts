import type { RawDatabase } from "./engine.js";
import { Maintenance, type MaintenanceOptions } from "./maintenance.js";
import { openDatabase } from "./open.js";
import { Reader, type OpenOptions } from "./reader.js";
import { call, Handle, type Abortable, type Session } from "./session.js";
import type { Source } from "./source.js";
import { Writer, type WriterOptions } from "./writer.js";

/** How to open a database that is written. */
export interface DatabaseOptions extends OpenOptions {
  /**
   * Prove before the first write to a new database that the store enforces conditions: 6 requests, once. Default: yes. Sources
   * that cannot list or delete need `false`, and a store that is known to be right.
   */
  probe?: boolean;
}

/** One database: hands out readers, the writer, and maintenance, which share caches. */
export class Database {
  readonly #handle: Handle<RawDatabase>;
  readonly #session: Session;

  private constructor(raw: RawDatabase, session: Session) {
    this.#handle = new Handle(raw, "database");
    this.#session = session;
  }

  /** A handle on the database at a source, which need not exist. Cost: none. */
  static async open(source: Source, options: DatabaseOptions = {}): Promise<Database> {
    const { database, session } = await openDatabase("full", source, options);
    return new Database(database, session);
  }

  /** A reader. Cost: 1 GET, 2 round trips at most. */
  reader(options: Abortable = {}): Promise<Reader> {
    return Reader.of(this.#handle.raw, this.#session, options.signal);
  }

  /**
   * Claims the writer role; whoever held it is fenced. Creates the database where there is none.
   *
   * Cost: 4 or 5 requests in series; on a new database 6 more.
   */
  async writer(options: WriterOptions = {}): Promise<Writer> {
    const raw = await call(this.#session.failures, undefined, () => this.#handle.raw.writer!(options));
    return new Writer(raw, this.#session);
  }

  /** Claims the maintenance role; whoever held it is fenced. Cost: 4 or 5 requests in series. */
  async maintenance(options: MaintenanceOptions = {}): Promise<Maintenance> {
    const raw = await call(this.#session.failures, undefined, () => this.#handle.raw.maintenance!(options));
    return new Maintenance(raw, this.#session);
  }

  /** What was asked of the store so far, by everything that came from here. */
  cost() {
    return this.#session.meter.cost();
  }

  /** Frees the handle. What was opened from it goes on. */
  close(): void {
    this.#handle.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
