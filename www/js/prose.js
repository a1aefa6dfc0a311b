// Sentences with `code` in them.

import { make } from "./dom.js";

/** Nodes: what stands between backticks is code. */
export function prose(text) {
  return String(text ?? "")
    .split("`")
    .map((part, i) => (i % 2 ? make("code", {}, part) : part));
}
