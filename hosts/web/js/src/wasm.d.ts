/** What wasm-bindgen makes of `hosts/web`; the build puts it beside the compiled files of this folder. */
declare module "*/glue.js" {
  export default function init(options: { module_or_path: unknown }): Promise<unknown>;
  export function initSync(options: { module: BufferSource | WebAssembly.Module }): unknown;
  export const Database: import("./engine.js").Engine["Database"];
  export const decodeTicket: import("./engine.js").Engine["decodeTicket"];
}

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
