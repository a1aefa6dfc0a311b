/** How long a browser remembers an answer to a preflight where the server does not say. */
const MAX_AGE_MS = 5_000;

/** Answers that are remembered. */
const KEPT = 1024;

const SIMPLE_METHODS = new Set(["GET", "HEAD", "POST"]);

/**
 * Which requests a browser asks permission for before it sends them, by the rules of the Fetch standard: browsers do not tell a
 * page of their preflights.
 */
export class Preflights {
  #seen = new Map<string, number>();

  /** True where this request is preceded by an OPTIONS request. */
  needed(method: string, url: URL, headers: Record<string, string>, now = Date.now()): boolean {
    const special = Object.entries(headers).filter(([name, value]) => !isSimple(name, value));
    if (SIMPLE_METHODS.has(method) && special.length === 0) return false;
    const names = special.map(([name]) => name.toLowerCase()).sort();
    const key = `${method} ${url.origin}${url.pathname}${url.search} ${names.join()}`;
    const until = this.#seen.get(key);
    if (until !== undefined && now < until) return false;
    this.#seen.delete(key);
    this.#seen.set(key, now + MAX_AGE_MS);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= KEPT) break;
      this.#seen.delete(oldest);
    }
    return true;
  }
}

/** A header that any page may send. Of ranges those of one closed or open range are. */
function isSimple(name: string, value: string): boolean {
  switch (name.toLowerCase()) {
    case "accept":
    case "accept-language":
    case "content-language":
      return true;
    case "range":
      return /^bytes=\d+-\d*$/.test(value);
    default:
      return false;
  }
}
