import { CorsError, UnavailableError } from "../errors.js";
import type { Meter } from "../meter.js";

/** The origin of the page or worker; none outside of browsers. */
function ownOrigin(): string | undefined {
  const location = (globalThis as { location?: { origin?: string } }).location;
  return typeof location?.origin === "string" ? location.origin : undefined;
}

/** True where a browser asks the server whether this page may read its answers. */
export function isCrossOrigin(url: URL): boolean {
  const origin = ownOrigin();
  return origin !== undefined && url.origin !== origin;
}

/**
 * Why no answer came. A browser does not tell a page whether the network is dead or the answer is not for it: a request that
 * does not ask to read its answer gets through in the second case alone. One GET more, in browsers, at another origin.
 */
export async function unreachable(key: string, url: URL, cause: unknown, meter: Meter): Promise<Error> {
  const details = { object: key, cause };
  if (cause instanceof TypeError && isCrossOrigin(url)) {
    const request = meter.begin("get");
    const ending = new AbortController();
    try {
      await fetch(url, { mode: "no-cors", cache: "no-store", signal: ending.signal });
      ending.abort();
      return new CorsError(`${key}: ${url.origin} does not let ${ownOrigin()} read its answers`, details);
    } catch {
      // It is the network.
    } finally {
      request.end();
    }
  }
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
  return new UnavailableError(`${key}: no answer from ${url.origin}: ${reason}`, details);
}
