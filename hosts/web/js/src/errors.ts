import type { StoreCode } from "./store.js";

/** Where an error shows, and what caused it. */
export interface ErrorDetails {
  /** Full key of the object. */
  object?: string;
  /** Byte offset in it. */
  offset?: number;
  /** What to do, where the class's own advice is not specific enough. */
  hint?: string;
  cause?: unknown;
}

/** An error of isledb: a class is a decision of the caller, and `hint` says what to do. */
export class IsleError extends Error {
  /** The class in kebab case: stable text for logs and programs. */
  readonly code: string = "error";
  /** Full key of the object that it is about. */
  readonly object?: string;
  /** Byte offset in it. */
  readonly offset?: number;
  /** What to do about it. */
  readonly hint: string;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.object = details.object;
    this.offset = details.offset;
    this.hint = details.hint ?? new.target.advice;
  }

  /** What to do about errors of this class. @internal */
  static readonly advice: string = "Report it with its message.";
  /** What a source that throws it says to the engine. @internal */
  static readonly storeCode: StoreCode = "unavailable";
}

/** There is no such object, or no database. */
export class NotFoundError extends IsleError {
  override readonly code = "not-found";
  static override readonly advice: string = "Check the address and the prefix.";
  static override readonly storeCode: StoreCode = "not-found";
}

/** The store refuses: credentials missing or wrong, or no right to this object. */
export class PermissionError extends IsleError {
  override readonly code: string = "permission";
  static override readonly advice: string =
    "Check the credentials and their right to get this object. S3 also answers so for a missing object where listing is not allowed.";
  static override readonly storeCode: StoreCode = "permission";
}

/** The store answers, but does not let this page read the answer. */
export class CorsError extends IsleError {
  override readonly code = "cors";
  static override readonly advice: string =
    "Allow this origin in the CORS rules of the bucket: methods GET and HEAD, headers Range, If-None-Match and Cache-Control, and expose ETag, Content-Range, Content-Length and Last-Modified.";
  static override readonly storeCode: StoreCode = "permission";
}

/** A signed URL or a session token is too old. */
export class ExpiredSignatureError extends PermissionError {
  override readonly code = "expired-signature";
  static override readonly advice: string = "Sign anew, or open a new ticket. If it is new, check this machine's clock.";
}

/** The bucket is in another region than the signature says. */
export class WrongRegionError extends PermissionError {
  override readonly code = "wrong-region";
  static override readonly advice: string = "Set the region of the bucket.";
}

/** The server sends whole objects where a range was asked for. */
export class NoRangeSupportError extends IsleError {
  override readonly code = "no-range-support";
  static override readonly advice: string =
    "Serve the bucket from a server that answers Range requests with 206: every object store does; of local servers for example `npx http-server` or `isledb serve`.";
  static override readonly storeCode: StoreCode = "unsupported";
}

/** Bytes that are not what the format says, or an object that should be there and is not. */
export class CorruptError extends IsleError {
  override readonly code = "corrupt";
  static override readonly advice: string = "The bucket is damaged there: run `isledb verify` on it, and keep the object for the report.";
  static override readonly storeCode: StoreCode = "corrupt";
}

/** No answer, or one that says "later". */
export class UnavailableError extends IsleError {
  override readonly code = "unavailable";
  static override readonly advice: string = "Try again later; check the network and the address.";
  static override readonly storeCode: StoreCode = "unavailable";
}

/** The time of the call ran out. */
export class TimeoutError extends IsleError {
  override readonly code = "timeout";
  static override readonly advice: string = "Try again, or give it more time with `timeoutMs`.";
}

/** Made by something that this version does not speak, or a source that cannot do what was asked. */
export class UnsupportedError extends IsleError {
  override readonly code = "unsupported";
  static override readonly advice: string = "Use a newer version of isledb, or another source.";
  static override readonly storeCode: StoreCode = "unsupported";
}

/** The call itself is wrong. */
export class InvalidArgumentError extends IsleError {
  override readonly code = "invalid-argument";
  static override readonly advice: string = "Correct the call.";
  static override readonly storeCode: StoreCode = "unsupported";
}

/** Another owner took the role: nothing of the failed call was committed. */
export class FencedError extends IsleError {
  override readonly code = "fenced";
  static override readonly advice: string = "Stop: another process is the owner now. Open again only if it should not be.";
}

/** A view, a cursor or a ticket is too old. */
export class ExpiredError extends IsleError {
  override readonly code = "expired";
  static override readonly advice: string = "Refresh the view, begin the tail anew, or ask for a new ticket.";
  static override readonly storeCode: StoreCode = "permission";
  /** For a cursor: the oldest one that works. */
  readonly oldest?: string;

  constructor(message: string, details: ErrorDetails & { oldest?: string } = {}) {
    super(message, details);
    this.oldest = details.oldest;
  }
}

/** A table that no trusted key signed. */
export class UntrustedError extends IsleError {
  override readonly code = "untrusted";
  static override readonly advice: string = "Do not use it; find out who wrote it, or trust the key that did.";
}

/** It cannot be told whether a commit happened. */
export class OutcomeUnknownError extends IsleError {
  override readonly code = "outcome-unknown";
  static override readonly advice: string = "Read what is committed before writing it again.";
  /** A later flush may settle it. */
  readonly retry: boolean;

  constructor(message: string, details: ErrorDetails & { retry?: boolean } = {}) {
    super(message, details);
    this.retry = details.retry ?? false;
  }
}

/** A merge needs more than the budget of its pass, and was not begun. */
export class OverBudgetError extends IsleError {
  override readonly code = "over-budget";
  static override readonly advice: string = "Raise the budget, or let a larger host run `isledb maintain --once`.";
  /** The option that bounds it: `max_requests` or `max_memory_bytes`. */
  readonly what: string;
  /** What it needs. */
  readonly need: number;
  /** What it may have. */
  readonly limit: number;

  constructor(message: string, details: ErrorDetails & { what?: string; need?: number; limit?: number } = {}) {
    super(message, details);
    this.what = details.what ?? "";
    this.need = details.need ?? 0;
    this.limit = details.limit ?? 0;
  }
}

/** The handle was closed. */
export class ClosedError extends IsleError {
  override readonly code = "closed";
  static override readonly advice: string = "Open a new one.";
}
