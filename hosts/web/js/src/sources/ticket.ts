import { ExpiredError, InvalidArgumentError, PermissionError, UnavailableError } from "../errors.js";
import { metered, type Meter } from "../meter.js";
import { type GetOptions, type GetResult, type ObjectStore, StoreError } from "../store.js";
import { bytesOf } from "./body.js";
import { HttpStore } from "./http.js";

/** A view ticket: one version of a database, with a URL for each of its objects. */
export interface TicketSource {
  /** The document, as text or parsed; or its URL, a `URL` or a string that begins with `https:` or `http:`. */
  ticket: string | object | URL;
  /**
   * Goes on to newer versions, where the ticket says how: CURRENT by its URL, new objects by URLs from the signer, with this
   * token. Default: the version of the ticket stays.
   */
  follow?: { token?: string };
}

/** A ticket as the engine's decoder reads it. */
export interface DecodedTicket {
  prefix: string;
  expiresAtMs: number;
  version: string;
  current: Uint8Array;
  readAtMs: number;
  lastModifiedMs?: number;
  /** URLs by keys relative to the prefix. */
  objects: Map<string, string>;
  followCurrent?: string;
  followSigner?: string;
}

/** Longest ticket that is fetched, in bytes. */
const MAX_TICKET_BYTES = 16 * 1024 * 1024;

/** A URL of the signer is used until so long before it expires. */
const MARGIN_MS = 5_000;

/** The text of a ticket; fetches it where a URL is given. Cost: 1 GET then. */
export async function ticketText({ ticket }: TicketSource, meter: Meter, signal?: AbortSignal): Promise<string> {
  const url = ticket instanceof URL ? ticket.href : typeof ticket === "string" && /^https?:/.test(ticket.trim()) ? ticket.trim() : undefined;
  if (url === undefined) return typeof ticket === "string" ? ticket : JSON.stringify(ticket);
  let address: URL;
  try {
    address = new URL(url);
  } catch (cause) {
    throw new InvalidArgumentError(`${JSON.stringify(url)} is no URL of a ticket`, { cause });
  }
  const store = metered(new HttpStore(meter, async () => ({ url: address })), meter);
  const got = await store.get("ticket", { fresh: true, signal: signal ?? new AbortController().signal });
  if (got.meta.size > MAX_TICKET_BYTES) throw new InvalidArgumentError(`a ticket of ${got.meta.size} bytes is no ticket`);
  return new TextDecoder().decode(await bytesOf(got.body));
}

/** Reads what a ticket names, and nothing else. Unless it follows, CURRENT comes out of it without a request. */
export class TicketStore implements ObjectStore {
  readonly #ticket: DecodedTicket;
  readonly #follow: { token?: string } | undefined;
  readonly #http: ObjectStore;
  readonly #urls = new Map<string, { url: string; expiresAtMs: number }>();

  constructor(ticket: DecodedTicket, follow: { token?: string } | undefined, meter: Meter) {
    this.#ticket = ticket;
    this.#follow = ticket.followCurrent === undefined ? undefined : follow;
    this.#http = metered(new HttpStore(meter, async (_method, key) => ({ url: new URL(await this.#urlOf(key)) })), meter);
  }

  async get(key: string, options: GetOptions): Promise<GetResult> {
    // Who follows reads CURRENT itself from the first time on: how old a view is counts from then.
    if (key === this.#full("manifest/CURRENT") && !this.#follow) return this.#current(key, options);
    return this.#http.get(key, options);
  }

  #current(key: string, { ifNoneMatch }: GetOptions): GetResult {
    this.#check();
    const { version, current: body, lastModifiedMs } = this.#ticket;
    if (ifNoneMatch === version) throw new StoreError("not-modified", `${key}: not modified`);
    return { meta: { key, size: body.length, version, lastModifiedMs }, range: { start: 0, end: body.length }, body };
  }

  #check(): void {
    const { expiresAtMs } = this.#ticket;
    if (Date.now() <= expiresAtMs) return;
    throw new ExpiredError(`the ticket expired at ${new Date(expiresAtMs).toISOString()}`, { hint: "Ask for a new ticket." });
  }

  async #urlOf(key: string): Promise<string> {
    const root = this.#full("");
    const name = key.startsWith(root) ? key.slice(root.length) : "";
    const url = name === "manifest/CURRENT" ? this.#ticket.followCurrent : this.#ticket.objects.get(name);
    if (url !== undefined && Date.now() <= this.#ticket.expiresAtMs) return url;
    if (this.#follow && this.#ticket.followSigner) return this.#signed(key, this.#ticket.followSigner);
    this.#check();
    throw new PermissionError(`${key}: not in this ticket`, {
      object: key,
      hint: "The ticket covers one version, or a part of it: ask for one of this range, or one that follows.",
    });
  }

  /** A URL from the signer, kept for as long as it lives. */
  async #signed(key: string, signer: string): Promise<string> {
    const kept = this.#urls.get(key);
    if (kept && Date.now() < kept.expiresAtMs - MARGIN_MS) return kept.url;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.#follow?.token) headers["authorization"] = `Bearer ${this.#follow.token}`;
    const body = JSON.stringify({ requests: [{ method: "GET", path: key, query: "" }] });
    let response: Response;
    try {
      response = await fetch(`${signer.replace(/\/$/, "")}/v1/sign`, { method: "POST", headers, body });
    } catch (cause) {
      throw new UnavailableError(`${key}: no answer from the signer ${signer}`, { object: key, cause });
    }
    if (response.status >= 500 || response.status === 429) {
      throw new UnavailableError(`${key}: the signer answered ${response.status}`, { object: key });
    }
    if (!response.ok) {
      throw new PermissionError(`${key}: the signer answered ${response.status}`, {
        object: key,
        hint: "Check the token, and that the signer serves this prefix.",
      });
    }
    const answer = (await response.json()) as { urls?: { url?: unknown; expires_at_ms?: unknown }[] };
    const { url, expires_at_ms } = answer.urls?.[0] ?? {};
    if (typeof url !== "string" || typeof expires_at_ms !== "number") {
      throw new UnavailableError(`${key}: the signer answered with something else than a URL`, { object: key });
    }
    this.#urls.set(key, { url, expiresAtMs: expires_at_ms });
    return url;
  }

  #full(key: string): string {
    return this.#ticket.prefix === "" ? key : `${this.#ticket.prefix}/${key}`;
  }
}
