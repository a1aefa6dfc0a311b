// A service that writes, and beside it the cron worker as people copy it. Time passes when it is told to, for the clocks and for the
// bucket alike.
import { Database, type Writer } from "isledb/full";
import cron, { type Env } from "../../edge/cron.js";

let writer: Promise<Writer> | undefined;

/** Milliseconds that have passed beside the real ones. */
let passed = 0;
for (const clock of [Date, performance]) {
  const real = clock.now.bind(clock);
  clock.now = () => real() + passed;
}

/** What had passed when an object was written. */
const passedAt = new Map<string, number>();

export default {
  async fetch(request: Request, bindings: Env): Promise<Response> {
    const env = { ...bindings, BUCKET: dated(bindings.BUCKET) };
    const { pathname, searchParams } = new URL(request.url);
    const number = (name: string) => Number(searchParams.get(name));
    if (pathname === "/pass") {
      passed += number("minutes") * 60_000;
      return Response.json({});
    }
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
      ids: [...l0, ...runs.flatMap((run) => run.tables)].map(({ id }) => id).sort(),
    });
  },
};

type Uploaded = { key: string; uploaded: Date };

/** The bucket in a world where time has passed. */
function dated(bucket: R2Bucket): R2Bucket {
  const date = <T extends Uploaded>(object: T): T =>
    new Proxy(object, {
      get(target, name) {
        if (name === "uploaded") return new Date(target.uploaded.getTime() + (passedAt.get(target.key) ?? 0));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const one = async <T extends Uploaded>(object: Promise<T | null>) => {
    const found = await object;
    return found && date(found);
  };
  const dates = {
    get: (key: string, options?: R2GetOptions) => one(bucket.get(key, options)),
    head: (key: string) => one(bucket.head(key)),
    async put(key: string, value: Uint8Array, options?: R2PutOptions) {
      const put = await bucket.put(key, value, options);
      if (put) passedAt.set(key, passed);
      return put && date(put);
    },
    async list(options?: R2ListOptions) {
      const page = await bucket.list(options);
      return { ...page, objects: page.objects.map(date) };
    },
    delete: (keys: string[]) => bucket.delete(keys),
  };
  return dates as unknown as R2Bucket;
}

/** What flush number `flush` writes: overwrites, and deletes. */
export function change(flush: number): [string, string | undefined][] {
  const key = (i: number) => `key/${String((flush * 7 + i * 13) % 300).padStart(3, "0")}`;
  return [0, 1, 2, 3].map((i) => [key(i), (flush + i) % 5 === 0 ? undefined : `${flush}.${i}`]);
}
