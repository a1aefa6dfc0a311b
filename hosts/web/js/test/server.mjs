// A small store over HTTP: ranges, conditions, and on request the faults that the package has to tell apart.
import { createServer } from "node:http";
import { createHash } from "node:crypto";

/**
 * Serves `objects`, a map from keys to bytes. `fault(request)` may answer first: `{ status, body, headers }`, or a string that
 * names a fault: `hang`, `cut`, `whole`. Returns the address, what was asked, and how to stop.
 */
export async function serve(objects, fault = () => undefined) {
  const requests = [];
  const server = createServer((request, response) => {
    const key = decodeURIComponent(new URL(request.url, "http://x").pathname.slice(1));
    requests.push({ method: request.method, key, headers: request.headers });
    const wrong = fault({ method: request.method, key, url: request.url, headers: request.headers, number: requests.length });
    if (wrong === "hang") return;
    if (wrong && typeof wrong === "object") {
      response.writeHead(wrong.status, wrong.headers).end(wrong.body ?? "");
      return;
    }
    if (request.method === "GET") return get(objects, key, request, response, wrong);
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => write(objects, key, request, response, Buffer.concat(pieces)));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, requests, stop };
}

const etagOf = (bytes) => `"${createHash("md5").update(bytes).digest("hex")}"`;

function get(objects, key, request, response, fault) {
  const bytes = objects.get(key);
  if (!bytes) return response.writeHead(404).end();
  const headers = { etag: etagOf(bytes), "last-modified": new Date(0).toUTCString(), "accept-ranges": "bytes" };
  if (request.headers["if-none-match"] === headers.etag) return response.writeHead(304, headers).end();
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (!range || fault === "whole") return response.writeHead(200, { ...headers, "content-length": bytes.length }).end(bytes);
  const [start, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, bytes.length)];
  if (start >= bytes.length) return response.writeHead(416, headers).end();
  const part = bytes.subarray(start, end);
  headers["content-range"] = `bytes ${start}-${end - 1}/${bytes.length}`;
  response.writeHead(206, { ...headers, "content-length": part.length });
  if (fault === "cut") {
    response.write(part.subarray(0, part.length >> 1), () => response.destroy());
    return;
  }
  response.end(part);
}

function write(objects, key, request, response, body) {
  const present = objects.get(key);
  if (request.method === "DELETE") {
    objects.delete(key);
    return response.writeHead(204).end();
  }
  const { "if-none-match": absent, "if-match": match } = request.headers;
  const holds = (!absent || !present) && (!match || (present && etagOf(present) === match));
  if (!holds) return response.writeHead(412).end();
  objects.set(key, body);
  response.writeHead(200, { etag: etagOf(body) }).end();
}
