// Runs the cases in whatever host loads this file: no host has more than what is used here.

/**
 * Runs the cases `names` one after another, each at a prefix of its own, and answers what failed.
 *
 * `glue` is the loaded module, `place` has `open()` (a bridge over the host's store) and `prefix`. A case that fails ends the
 * WebAssembly module: what follows it is reported as not run.
 */
export async function runCases(glue, place, names) {
  const failures = [];
  let ended;
  for (const name of names) {
    if (ended !== undefined) {
      failures.push({ name, message: `not run: ${ended} ended the module` });
      continue;
    }
    const message = await runCase(glue, place, name);
    if (message === undefined) continue;
    failures.push({ name, message });
    ended = name;
  }
  return failures;
}

/** Runs one case; answers what it said when it failed. */
export async function runCase(glue, place, name) {
  const bridge = await place.open();
  let panicked;
  const panic = new Promise((resolve) => (panicked = resolve));
  globalThis.isledbCaseFailed = (message) => panicked(message);
  const prefix = `${place.prefix}/${name.replace("::", "-")}`;
  const run = glue.run(name, bridge, prefix).then(
    () => undefined,
    (error) => String(error?.message ?? error),
  );
  return Promise.race([run, panic]);
}
