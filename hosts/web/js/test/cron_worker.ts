// A service that writes, and beside it the cron worker as people copy it.
import { Database, type Writer } from "isledb/full";
import cron, { type Env } from "../../edge/cron.js";

let writer: Promise<Writer> | undefined;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const number = (name: string) => Number(searchParams.get(name));
    if (pathname === "/cron") {
      await cron.scheduled(undefined, env);
      return Response.json({});
    }
    const db = await Database.open({ r2: env.BUCKET, prefix: env.PREFIX });
    if (pathname === "/flushes") {
      const each = await (writer ??= db.writer({ owner: "service" }));
      for (let flush = number("from"); flush < number("to"); flush += 1) {
        for (const [key, value] of change(flush)) await (value === undefined ? each.delete(key) : each.put(key, value));
        await each.flush();
      }
      return Response.json({});
    }
    const reader = await db.reader();
    const entries = await reader.scan().toArray();
    const { l0, runs } = reader.view();
    return Response.json({
      entries: entries.map(({ keyText, text }) => [keyText, text]),
      tables: l0.length,
      runs: runs.length,
    });
  },
};

/** What flush number `flush` writes: overwrites, and deletes. */
export function change(flush: number): [string, string | undefined][] {
  const key = (i: number) => `key/${String((flush * 7 + i * 13) % 300).padStart(3, "0")}`;
  return [0, 1, 2, 3].map((i) => [key(i), (flush + i) % 5 === 0 ? undefined : `${flush}.${i}`]);
}
