import type { Bridge } from "./bridge.js";
import { UnsupportedError } from "./errors.js";

/** What the WebAssembly exports; `hosts/web/src` documents it. @internal */
export interface Engine {
  Database: new (bridge: Bridge, prefix: string, options: object) => RawDatabase;
  decodeTicket(text: string): object;
}

/** @internal */
export interface RawDatabase {
  prefix(): string;
  reader(cancel?: Promise<void>): Promise<RawReader>;
  /** Of the full engine alone. */
  writer?(options: object): Promise<RawWriter>;
  maintenance?(options: object): Promise<RawMaintenance>;
  free(): void;
}

/** @internal */
export interface RawWriter {
  write(operations: object[]): Promise<bigint>;
  flush(): Promise<bigint>;
  run(cancel?: Promise<void>): Promise<void>;
  close(): Promise<void>;
  readonly lastSequence: bigint;
  readonly committedSequence: bigint;
  readonly uncommittedBytes: number;
  free(): void;
}

/** @internal */
export interface RawMaintenance {
  runOnce(everything: boolean, cancel?: Promise<void>): Promise<object>;
  close(): Promise<void>;
  free(): void;
}

/** @internal */
export interface RawReader {
  scoped(): RawReader;
  close(): void;
  get(key: Uint8Array, cancel?: Promise<void>): Promise<Uint8Array | undefined>;
  getEntry(key: Uint8Array, cancel?: Promise<void>): Promise<object | undefined>;
  getMany(keys: Uint8Array[], cancel?: Promise<void>): Promise<(Uint8Array | undefined)[]>;
  getStream(key: Uint8Array, cancel?: Promise<void>): Promise<RawValueStream | undefined>;
  scan(range: object, cancel?: Promise<void>): Promise<RawScan>;
  tail(options: object, cancel?: Promise<void>): Promise<RawTail>;
  refresh(cancel?: Promise<void>): Promise<boolean>;
  view(): object;
  why(key: Uint8Array, cancel?: Promise<void>): Promise<object>;
  cacheStats(): object;
  free(): void;
}

/** @internal */
export interface RawScan {
  nextPage(maxBytes: number, keysOnly: boolean, cancel?: Promise<void>): Promise<{ bytes: Uint8Array; ends: Uint32Array }>;
  free(): void;
}

/** @internal */
export interface RawTail {
  nextBatch(maxEntries: number, cancel?: Promise<void>): Promise<object[]>;
  free(): void;
}

/** @internal */
export interface RawValueStream {
  readonly size: number;
  next(cancel?: Promise<void>): Promise<Uint8Array | undefined>;
  free(): void;
}

/** From the one that can least: each can do what those before it can. */
const KINDS = ["reader", "verify", "full"] as const;

/** Which WebAssembly: reading; reading with signatures; everything. @internal */
export type EngineKind = (typeof KINDS)[number];

const loaders = new Map<EngineKind, () => Engine | Promise<Engine>>();
const loaded = new Map<EngineKind, Engine>();

/** Says how an engine is loaded; it is when it is first needed. @internal */
export function provide(kind: EngineKind, load: () => Engine | Promise<Engine>): void {
  loaders.set(kind, load);
}

/**
 * The engine for what is needed: one that is loaded already, else the largest that the program imports, so that no program
 * loads two. Where the module comes ready compiled (workerd) nobody waits for a promise of somebody else.
 *
 * @internal
 */
export function engineFor(needed: EngineKind): Engine | Promise<Engine> {
  const enough = KINDS.slice(KINDS.indexOf(needed)).reverse();
  for (const kind of enough) {
    const engine = loaded.get(kind);
    if (engine) return engine;
  }
  for (const kind of enough) {
    const load = loaders.get(kind);
    if (!load) continue;
    const engine = load();
    if (!(engine instanceof Promise)) {
      loaded.set(kind, engine);
      return engine;
    }
    const once = engine.then(
      (ready) => {
        loaded.set(kind, ready);
        return ready;
      },
      (error: unknown) => {
        // The next open tries again.
        provide(kind, load);
        throw error;
      },
    );
    provide(kind, () => once);
    return once;
  }
  throw new UnsupportedError(`this needs more than the program imported`, { hint: `Import from "isledb/${needed}".` });
}
