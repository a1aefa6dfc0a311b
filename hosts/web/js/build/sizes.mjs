// Prints what a page that imports an entry downloads: usage: sizes.mjs DIST ENTRY. The last word is the sum in bytes of brotli.
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const [dist, entry] = process.argv.slice(2);
const start = join(dist, entry === "reader" ? "web.js" : `${entry}-web.js`);

/** The files that a page loads at once: static imports; what is imported when it is needed does not count. */
function reached(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, specifier] of readFileSync(file, "utf8").matchAll(/\b(?:import|export)\b[^;"'()]*?["'](\.[^"']+)["']/g)) {
    reached(join(dirname(file), specifier), found);
  }
  return found;
}

const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
const brotli = (bytes) => brotliCompressSync(bytes, quality).length;
const scripts = [...reached(start)];
const text = Buffer.concat(scripts.map((file) => readFileSync(file)));
const wasm = readFileSync(join(dist, "wasm", entry, "isledb.wasm"));
const sizes = { wasm: brotli(wasm), js: brotli(text) };
console.log(`${entry}: ${relative(dist, start)} and ${scripts.length - 1} more files, ${text.length} bytes, ${sizes.js} of brotli`);
console.log(`${entry}: isledb.wasm, ${wasm.length} bytes, ${sizes.wasm} of brotli`);
console.log(`${entry}: together ${sizes.wasm + sizes.js}`);
