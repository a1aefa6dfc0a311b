import type { GetResult } from "../store.js";

/** The whole of a body, in memory. */
export async function bytesOf(body: GetResult["body"]): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const whole = body instanceof ReadableStream ? new Response(body) : body;
  return new Uint8Array(await whole.arrayBuffer());
}
