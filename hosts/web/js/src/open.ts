import { Bridge } from "./bridge.js";
import { engineFor, type EngineKind, type RawDatabase } from "./engine.js";
import { InvalidArgumentError } from "./errors.js";
import { Failures } from "./failures.js";
import { Meter } from "./meter.js";
import type { OpenOptions } from "./reader.js";
import type { Session } from "./session.js";
import { resolve, type Source } from "./source.js";

/** A handle on the database at a source. Whoever gets it frees it. Cost: none, but for a ticket that has to be fetched. @internal */
export async function openDatabase(
  kind: EngineKind,
  source: Source,
  options: OpenOptions,
): Promise<{ database: RawDatabase; session: Session }> {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("the options are no object");
  options.signal?.throwIfAborted();
  const wanted = options.trustedKeys && kind === "reader" ? "verify" : kind;
  const pending = engineFor(wanted);
  const engine = pending instanceof Promise ? await pending : pending;
  const session: Session = {
    meter: new Meter(),
    failures: new Failures(),
    persistent: { hits: 0, misses: 0, damaged: 0 },
  };
  const { store, prefix } = await resolve(source, options, session.meter, engine, session.persistent);
  try {
    return { database: new engine.Database(new Bridge(store, session.failures), prefix, options), session };
  } catch (raw) {
    throw session.failures.error(raw);
  }
}
