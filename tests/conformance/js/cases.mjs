// Runs the cases in whatever host loads this file: no host has more than what is used here.

/**
 * Runs the cases `names` one after another by `run(name)`, which answers what a case said when it failed; answers all failures.
 * A case that fails ends the WebAssembly module: what follows it is reported as not run.
 */
export async function failuresOf(names, run) {
  const failures = [];
  let ended;
  for (const name of names) {
    const message = ended === undefined ? await run(name) : `not run: ${ended} ended the module`;
    // What left a process or a page as JSON has `null` for nothing.
    if ((message ?? undefined) === undefined) continue;
    failures.push({ name, message });
    ended ??= name;
  }
  return failures;
}

/**
 * Runs one case at a prefix of its own; answers what it said when it failed. `glue` is the loaded module, `place` has `open()` (a
 * bridge over the host's store) and `prefix`.
 */
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
