// Reads a bucket that the original wrote, whole: the body of a request names its prefix, and keys that are not there.
import { Reader } from "isledb";
import { readAll } from "../../../../tests/browser/lab/read.js";

export default {
  async fetch(request: Request, env: { BUCKET: unknown }): Promise<Response> {
    const { prefix, others } = await request.json();
    return Response.json(await readAll(Reader, { r2: env.BUCKET, prefix }, others));
  },
};
