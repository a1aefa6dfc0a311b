// A static server that stands in for an object store, and misbehaves where it is told to: what a page must explain to people
// is provoked here. It keeps a log of every request, preflights included, as the store's owner would see it.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/// Error documents in the words of S3, since clients tell these cases apart by them.
const S3_ERRORS = {
  missing: [404, "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"],
  denied: [403, "<Code>AccessDenied</Code><Message>Access Denied</Message>"],
  expired: [
    403,
    "<Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>900</X-Amz-Expires>" +
      "<Expires>2026-01-01T00:15:00Z</Expires><ServerTime>2026-01-01T01:00:00Z</ServerTime>",
  ],
  region: [
    400,
    "<Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region 'us-east-1' is " +
      "wrong; expecting 'eu-central-1'</Message><Region>eu-central-1</Region>",
  ],
};

/**
 * Serves folders on a free port of 127.0.0.1.
 *
 * `folders`: path prefix (with slashes at both ends) to folder; the longest that matches wins.
 *
 * The result has `origin`, the log `requests` ({method, path, headers, status, bytes}), `fault(path, fault)`, `heal()`, `close()`.
 * `path` is a prefix (string) or a pattern (RegExp); of several faults that match, each adds its own. A fault has any of:
 *   cors: false            no CORS headers, and preflights are refused
 *   error: name            a document of `S3_ERRORS` instead of the object
 *   ranges: false          answers 200 with the whole object, whatever range was asked for
 *   corrupt: offset        one bit of the object is wrong there
 *   delayMs                waits first
 *   lastModified: Date     said of the object
 *   etag: false            says no version
 *   hangUp: true           ends the connection without an answer
 */
export async function serve(folders) {
  const state = { folders: Object.entries(folders).sort(([a], [b]) => b.length - a.length), faults: [], requests: [] };
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(String(error));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    requests: state.requests,
    fault: (path, fault) => state.faults.push([path, fault]),
    heal: () => (state.faults.length = 0),
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(state, request, response) {
  const asked = decodeURIComponent(new URL(request.url, "http://store").pathname);
  const path = asked === "/" ? "/index.html" : asked;
  const entry = { method: request.method, path, headers: request.headers, status: 0, bytes: 0 };
  state.requests.push(entry);
  const matches = (pattern) => (typeof pattern === "string" ? path.startsWith(pattern) : pattern.test(path));
  const fault = Object.assign({}, ...state.faults.filter(([pattern]) => matches(pattern)).map(([, one]) => one));
  const end = (status, headers, body) => {
    entry.status = status;
    entry.bytes = body?.length ?? 0;
    response.writeHead(status, { ...headers, ...cors(fault) });
    response.end(request.method === "HEAD" ? undefined : body);
  };
  const fail = (name) => {
    const [status, inner] = S3_ERRORS[name];
    const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n<Error>${inner}<RequestId>0</RequestId></Error>`);
    end(status, { "content-type": "application/xml", "content-length": body.length }, body);
  };

  if (fault.delayMs) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
  if (fault.hangUp) return request.socket.destroy();
  if (request.method === "OPTIONS") return end(fault.cors === false ? 403 : 204, {});
  if (request.method !== "GET" && request.method !== "HEAD") return end(405, {});
  if (fault.error) return fail(fault.error);

  let body = await read(state.folders, path);
  if (body === undefined) return fail("missing");
  if (fault.corrupt !== undefined) {
    body = Buffer.from(body);
    body[fault.corrupt] ^= 1;
  }
  const etag = `"${createHash("md5").update(body).digest("hex")}"`;
  const headers = { "content-type": TYPES[extname(path)] ?? "application/octet-stream" };
  if (fault.etag !== false) headers.etag = etag;
  if (fault.lastModified) headers["last-modified"] = fault.lastModified.toUTCString();
  if (fault.ranges !== false) headers["accept-ranges"] = "bytes";
  if (request.headers["if-none-match"] === etag) return end(304, headers);

  const range = fault.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  if (!range) return end(200, { ...headers, "content-length": body.length }, body);
  const start = Number(range[1]);
  const last = Math.min(range[2] === "" ? Infinity : Number(range[2]), body.length - 1);
  if (start > last) return end(416, { ...headers, "content-range": `bytes */${body.length}` });
  const part = body.subarray(start, last + 1);
  headers["content-range"] = `bytes ${start}-${last}/${body.length}`;
  end(206, { ...headers, "content-length": part.length }, part);
}

/// What the documentation tells people to set on their bucket.
function cors(fault) {
  if (fault.cors === false) return {};
  return {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "*",
    "access-control-expose-headers": "ETag, Content-Range, Content-Length, Last-Modified",
  };
}

/// The object's bytes, or nothing where there is none.
async function read(folders, path) {
  const found = folders.find(([prefix]) => path.startsWith(prefix));
  if (!found) return undefined;
  const [prefix, folder] = found;
  const inside = normalize(path.slice(prefix.length));
  if (inside.startsWith("..")) return undefined;
  try {
    return await readFile(join(folder, inside));
  } catch (error) {
    if (["ENOENT", "EISDIR", "ENOTDIR"].includes(error.code)) return undefined;
    throw error;
  }
}
