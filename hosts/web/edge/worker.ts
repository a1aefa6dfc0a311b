// An edge worker that serves a database from a bucket: copy this file and wrangler.toml, name your bucket, deploy.
//
//   GET /kv/:key                      the value; 404 where there is none
//   GET /scan?prefix=&start=&limit=   entries in key order, one JSON object a line; `next` in the last line goes on
//   GET /tail?prefix=                 changes as server-sent events; an EventSource goes on by itself after a break
//
// It reads only. What it costs: the first request of an isolate reads CURRENT and what a key needs (at most 6 subrequests);
// later ones use the view that is there, and only read CURRENT again when it is older than REFRESH_AFTER_MS.
import { IsleError, Reader } from "isledb";

export interface Env {
  /** The R2 bucket, bound in wrangler.toml. */
  BUCKET: R2Bucket;
  /** Where the database is in the bucket. */
  PREFIX: string;
}

const REFRESH_AFTER_MS = 5_000;
const MAX_ROWS = 1_000;
/** A stream ends after this many changes, or milliseconds, and the client comes again: a request has only so many subrequests. */
const MAX_EVENTS = 10_000;
const MAX_STREAM_MS = 60_000;

/** What finished requests of this isolate left: an open view and decoded blocks. */
let shared: Reader | undefined;

/** A reader for one request. Requests share what is read, but none waits for another's promise: the runtime forbids it. */
async function reader(env: Env): Promise<Reader> {
  if (shared === undefined) {
    const opened = await Reader.open({ r2: env.BUCKET, prefix: env.PREFIX }, { refreshAfterMs: REFRESH_AFTER_MS });
    shared ??= opened;
  }
  return shared.scoped();
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (request.method !== "GET") return problem(405, "only GET");
    try {
      if (url.pathname.startsWith("/kv/")) return await value(env, decodeURIComponent(url.pathname.slice(4)));
      if (url.pathname === "/scan") return await scan(env, url.searchParams);
      if (url.pathname === "/tail") return await tail(env, url.searchParams, request);
      return problem(404, "try /kv/KEY, /scan or /tail");
    } catch (error) {
      return failure(error);
    }
  },
};

async function value(env: Env, key: string): Promise<Response> {
  using db = await reader(env);
  const entry = await db.getEntry(key);
  if (entry === undefined) return problem(404, `no such key: ${key}`);
  return new Response(entry.value, {
    headers: { "content-type": "application/octet-stream", etag: `"${entry.sequence}"`, "cache-control": "no-cache" },
  });
}

async function scan(env: Env, query: URLSearchParams): Promise<Response> {
  const limit = Number(query.get("limit") ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_ROWS) return problem(400, `limit must be 1 to ${MAX_ROWS}`);
  using db = await reader(env);
  const lines: string[] = [];
  let next: string | undefined;
  // One more than asked for: where the next page begins.
  for await (const { keyText, text } of db.scan({ ...range(query), limit: limit + 1 })) {
    if (lines.length === limit) next = keyText;
    else lines.push(JSON.stringify({ key: keyText, value: text }));
  }
  if (next !== undefined) lines.push(JSON.stringify({ next }));
  return new Response(lines.map((line) => line + "\n").join(""), { headers: { "content-type": "application/x-ndjson" } });
}

async function tail(env: Env, query: URLSearchParams, request: Request): Promise<Response> {
  const db = await reader(env);
  const stop = new AbortController();
  const from = request.headers.get("last-event-id") ?? query.get("from") ?? "now";
  const changes = db.tail({ ...range(query), from, signal: stop.signal });
  const timer = setTimeout(() => stop.abort(), MAX_STREAM_MS);
  const utf8 = new TextEncoder();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const events = async function* () {
    try {
      // A comment first, so that the client knows at once that the stream stands.
      yield utf8.encode(": open\n\n");
      let sent = 0;
      for await (const { cursor, sequence, op, key, value } of changes) {
        const data = JSON.stringify({ sequence: String(sequence), op, key: text(key), value: value && text(value) });
        yield utf8.encode(`id: ${cursor}\nevent: ${op}\ndata: ${data}\n\n`);
        if (++sent >= MAX_EVENTS) return;
      }
    } catch (error) {
      if (!stop.signal.aborted) yield utf8.encode(`event: problem\ndata: ${JSON.stringify(describe(error))}\n\n`);
    } finally {
      clearTimeout(timer);
      db[Symbol.dispose]();
    }
  };
  const source = events();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      // The client went away: so does the request to the bucket that is under way.
      stop.abort();
      return source.return().then(() => undefined);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}

function range(query: URLSearchParams): { prefix?: string; start?: string; end?: string } {
  const bound = (name: string) => query.get(name) ?? undefined;
  return { prefix: bound("prefix"), start: bound("start"), end: bound("end") };
}

/** What the engine's errors mean to a client of this worker. */
const STATUS: Record<string, number> = { "invalid-argument": 400, "not-found": 404, expired: 410, unavailable: 503, timeout: 504 };

function failure(error: unknown): Response {
  const described = describe(error);
  return problem(STATUS[described.code] ?? 500, described.message, described.code);
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof IsleError) return { code: error.code, message: error.message };
  // Nothing of the surroundings leaks to the client.
  console.error(error);
  return { code: "internal", message: "internal error" };
}

function problem(status: number, message: string, code = "request"): Response {
  return Response.json({ error: { code, message } }, { status });
}
