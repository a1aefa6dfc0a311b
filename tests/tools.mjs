// What the machine has, by way of `tests/setup.sh`.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The root of the work tree. */
export const root = fileURLToPath(new URL("../", import.meta.url));

/** A tool that cannot be had here. */
export class Missing extends Error {}

/** Installs a tool if need be and answers its path. */
export function tool(name) {
  try {
    return execFileSync(`${root}tests/setup.sh`, ["where", name], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch (error) {
    const said = String(error.stderr ?? error).trim().split("\n").at(-1);
    if (error.status === 3) throw new Missing(`${name} cannot be had here: ${said}`);
    throw new Error(`${name}: ${said}`);
  }
}

/** Loads a package of npm from the folder that a tool was installed to. */
export async function load(folder, name) {
  return import(createRequire(`${folder}/`).resolve(name));
}

/** Why a test that needs these tools is skipped, or false. In CI that is an error. */
export function missing(...names) {
  try {
    names.forEach(tool);
    return false;
  } catch (error) {
    if (process.env.CI || !(error instanceof Missing)) throw error;
    return error.message;
  }
}
