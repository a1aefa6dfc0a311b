import {
  ClosedError,
  CorruptError,
  ExpiredError,
  FencedError,
  InvalidArgumentError,
  IsleError,
  NotFoundError,
  OutcomeUnknownError,
  OverBudgetError,
  PermissionError,
  TimeoutError,
  UnavailableError,
  UnsupportedError,
  UntrustedError,
} from "./errors.js";
import { StoreError, type StoreCode } from "./store.js";

/** An error of the engine, as `hosts/web/src/error.rs` makes it. */
export interface EngineFailure {
  kind: string;
  message: string;
  detail?: string;
  object?: string;
  offset?: number;
  oldest?: string;
  retry?: boolean;
  what?: string;
  need?: number;
  limit?: number;
}

/** Objects whose failures are kept, and failures of one object. */
const KEPT = { objects: 64, ofOne: 4 };

/**
 * The last failures of a source. The engine knows an object and a message; this knows the error that they came from, with its
 * class and its cause.
 */
export class Failures {
  #kept = new Map<string, { message: string; thrown: unknown }[]>();

  /** Notes what a request for `object` threw; returns what the engine is told. */
  note(object: string, thrown: unknown): { code: StoreCode; message: string } {
    const code = codeOf(thrown);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (code !== "not-modified" && code !== "not-found" && code !== "precondition") {
      const others = this.#kept.get(object)?.filter((failure) => failure.message !== message) ?? [];
      this.#kept.delete(object);
      this.#kept.set(object, [{ message, thrown }, ...others].slice(0, KEPT.ofOne));
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= KEPT.objects) break;
        this.#kept.delete(oldest);
      }
    }
    return { code, message };
  }

  /** The error for the caller. */
  error(raw: unknown): Error {
    if (!isEngineFailure(raw)) {
      return raw instanceof Error ? raw : new IsleError(String(raw), { cause: raw });
    }
    // The engine may say more than the source did, and says what the source did.
    const kept = this.#kept.get(raw.object ?? "")?.find(({ message }) => message !== "" && raw.detail?.includes(message));
    if (kept?.thrown instanceof IsleError) return kept.thrown;
    return fromEngine(raw, kept?.thrown);
  }
}

/** The error class of what the engine says; `cause` is what the source threw. */
export function fromEngine(raw: EngineFailure, cause?: unknown): IsleError {
  const details = { object: raw.object, offset: raw.offset, cause };
  switch (raw.kind) {
    case "NotFound":
    case "NoDatabase":
      return new NotFoundError(raw.message, details);
    case "Permission":
      return new PermissionError(raw.message, details);
    case "Unavailable":
    case "Backpressure":
    case "Precondition":
      return new UnavailableError(raw.message, details);
    case "Timeout":
      return new TimeoutError(raw.message, details);
    case "Corrupt":
      return new CorruptError(raw.message, details);
    case "Untrusted":
      return new UntrustedError(raw.message, details);
    case "Unsupported":
      return new UnsupportedError(raw.message, details);
    case "InvalidArgument":
      return new InvalidArgumentError(raw.message, details);
    case "OverBudget":
      return new OverBudgetError(raw.message, { ...details, what: raw.what, need: raw.need, limit: raw.limit });
    case "Fenced":
      return new FencedError(raw.message, details);
    case "OutcomeUnknown":
      return new OutcomeUnknownError(raw.message, { ...details, retry: raw.retry });
    case "ViewExpired":
    case "CursorExpired":
    case "TicketExpired":
      return new ExpiredError(raw.message, { ...details, oldest: raw.oldest });
    case "Closed":
      return new ClosedError(raw.message, details);
    default:
      return new IsleError(raw.message, details);
  }
}

export function isEngineFailure(raw: unknown): raw is EngineFailure {
  return typeof raw === "object" && raw !== null && "kind" in raw && !(raw instanceof Error);
}

/** What the engine is told of something that a source threw. */
function codeOf(thrown: unknown): StoreCode {
  if (thrown instanceof IsleError) return (thrown.constructor as typeof IsleError).storeCode;
  if (thrown instanceof StoreError) return thrown.code;
  // A store from another copy of this package, or a plain object with a code.
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === "string" && CODES.has(code) ? (code as StoreCode) : "unavailable";
}

const CODES = new Set<string>([
  "not-found",
  "precondition",
  "not-modified",
  "permission",
  "unavailable",
  "corrupt",
  "unsupported",
] satisfies StoreCode[]);
