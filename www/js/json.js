// JSON for reading: set in lines and coloured, with every number as it was written (a parsed one may have lost digits).

import { make } from "./dom.js";

const TOKEN = /"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Whether this text is JSON that gains by being set in lines. */
export function isDocument(text) {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The nodes of a `pre`. `text` is valid JSON. */
export function pretty(text) {
  const nodes = [];
  const tokens = text.match(TOKEN) ?? [];
  let depth = 0;
  let plain = "";
  const mark = (kind, token) => {
    nodes.push(plain, make("span", { class: kind }, token));
    plain = "";
  };
  const line = () => (plain += `\n${"  ".repeat(depth)}`);
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    if (token === "{" || token === "[") {
      plain += token;
      depth++;
      if (next !== "}" && next !== "]") line();
    } else if (token === "}" || token === "]") {
      depth--;
      if (tokens[i - 1] !== "{" && tokens[i - 1] !== "[") line();
      plain += token;
    } else if (token === ",") {
      plain += token;
      line();
    } else if (token === ":") plain += ": ";
    else if (next === ":") mark("json-name", token);
    else mark(token.startsWith('"') ? "json-text" : "json-atom", token);
  });
  nodes.push(plain);
  return nodes;
}
