// Runs the conformance cases in every host that runs JavaScript: `node run.mjs [HOST...]` (all of them where none is named).
//
// The cases are those of `tests/conformance/src`, compiled to WebAssembly over the JavaScript interface of `hosts/web`. What a
// machine cannot have is skipped by name; where CI is set, that is a failure.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "./build.mjs";
import { HOSTS } from "./hosts.mjs";
import { Missing, startStore } from "./store.mjs";

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !HOSTS.some((host) => host.name === name));
if (unknown.length > 0) {
  console.error(`no such host: ${unknown.join(", ")}; there are: ${HOSTS.map((host) => host.name).join(", ")}`);
  process.exit(2);
}

/** Hosts that run beside one another: each waits for the store for much of its time. */
const AT_ONCE = 3;

const built = await build();
const bucket = await startStore();
const results = [];
let failed = false;
const left = HOSTS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
await Promise.all(Array.from({ length: AT_ONCE }, runSome));
await bucket.stop();
// A run of some hosts leaves what others came to.
const file = `${built.results}/javascript.json`;
const earlier = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
const kept = earlier.filter(({ host }) => !results.some((result) => result.host === host));
mkdirSync(built.results, { recursive: true });
writeFileSync(file, `${JSON.stringify([...kept, ...results], null, 1)}\n`);
process.exit(failed ? 1 : 0);

async function runSome() {
  for (let host = left.shift(); host !== undefined; host = left.shift()) await run(host);
}

async function run(host) {
  const begun = performance.now();
  const work = host.places.map((place) => {
    const names = built.cases(place.byNameAlone === true);
    return { place: { ...place, prefix: `conformance/${host.name.replaceAll(" ", "-")}/${place.name}`, bucket: bucket.access }, names };
  });
  try {
    for (const { place, failures } of await host.run(work, built)) {
      const { names } = work.find((one) => one.place.name === place);
      const passed = names.length - failures.length;
      results.push({ host: host.name, place, passed, of: names.length });
      console.log(`${host.name}, ${place}: ${passed} of ${names.length} pass`);
      for (const { name, message } of failures) console.log(`  ${name}: ${message}`);
      failed ||= failures.length > 0;
    }
  } catch (error) {
    const skipped = error instanceof Missing && !process.env.CI;
    console.log(`${host.name}: ${skipped ? "skipped: " : ""}${error.message.slice(0, 2000)}`);
    if (!(error instanceof Missing)) console.log(error.stack.slice(-2000));
    failed ||= !skipped;
  }
  console.log(`${host.name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}
