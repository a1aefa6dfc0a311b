// A cron worker that keeps a database small and quick: it merges what is due and deletes what nothing needs, a pass a run.
//
// In wrangler.toml:   main = "cron.ts"   [triggers] crons = ["* * * * *"]
//
// A run where nothing is due costs some nine reads and four writes: each run claims the maintenance role anew, so let nobody else have it.
import { Database } from "isledb/full";

export interface Env {
  /** The R2 bucket, bound in wrangler.toml. */
  BUCKET: R2Bucket;
  /** Where the database is in the bucket. */
  PREFIX: string;
}

export default {
  async scheduled(_event: unknown, env: Env): Promise<void> {
    using db = await Database.open({ r2: env.BUCKET, prefix: env.PREFIX });
    const maintenance = await db.maintenance({ owner: "cron" });
    try {
      const { merges, gc, debt } = await maintenance.runOnce();
      console.log(JSON.stringify({ merges: merges.length, deleted: gc?.tables ?? 0, waits: debt.jobs, cost: db.cost() }));
    } finally {
      await maintenance.close();
    }
  },
};
