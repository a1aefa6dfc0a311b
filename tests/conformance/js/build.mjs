// Compiles the cases, and bundles them with the package for each kind of host.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { load, root } from "../../tools.mjs";

const here = new URL(".", import.meta.url).pathname;
const KINDS = [
  { file: "process", platform: "node" },
  { file: "workerd", platform: "neutral" },
  { file: "page", platform: "browser" },
];

/** Answers the folder of what was built, the names of the cases, and where results go. */
export async function build() {
  const target = process.env.CARGO_TARGET_DIR ?? `${root}target`;
  const folder = `${target}/conformance/web`;
  mkdirSync(folder, { recursive: true });
  execFileSync("cargo", ["run", "--locked", "-p", "isledb-web-build", "--", "--cases", folder], { cwd: root, stdio: "inherit" });
  // Without its WebAssembly: the cases bring their own.
  const dist = `${root}hosts/web/js/dist`;
  const { build: bundle } = await load(`${root}hosts/web/js`, "esbuild");
  for (const { file, platform } of KINDS) {
    await bundle({
      entryPoints: [`${here}hosts/${file}.mjs`],
      outfile: `${folder}/${file}.mjs`,
      bundle: true,
      format: "esm",
      platform,
      external: ["./isledb.wasm", "node:*"],
      alias: { "isledb-dist": dist, "conformance-glue": `${folder}/glue.js` },
      logLevel: "warning",
    });
  }
  const glue = await import(`${folder}/glue.js`);
  const wasm = `${folder}/isledb.wasm`;
  globalThis.isledbCaseFailed = (message) => {
    throw new Error(message);
  };
  glue.initSync({ module: readFileSync(wasm) });
  return { folder, wasm, cases: (byNameAlone) => glue.cases(byNameAlone), results: `${target}/conformance` };
}
