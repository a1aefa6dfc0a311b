// What the page's address says after its #: what to open, and where in it one is. `#url=…` or `#ticket=…` come first; the value
// may be written plainly, so an `&` that starts no name of ours belongs to what stands before it.

const NAMES = ["url", "ticket", "tab", "prefix", "key"];

/** Names to values; a name that is absent is absent. */
export function readAddress(hash) {
  const found = {};
  let last = null;
  for (const part of hash.replace(/^#/, "").split("&")) {
    const name = part.slice(0, Math.max(0, part.indexOf("=")));
    if (NAMES.includes(name)) {
      found[name] = part.slice(name.length + 1);
      last = name;
    } else if (last) found[last] += `&${part}`;
  }
  for (const name of Object.keys(found)) {
    // Plain where it is no valid escape: a key may hold a percent sign.
    try {
      found[name] = decodeURIComponent(found[name]);
    } catch {}
  }
  return found;
}

/** Sets names without a new entry in the history; null removes. What opened the database stays first. */
export function writeAddress(changes) {
  const next = { ...readAddress(location.hash), ...changes };
  const parts = NAMES.filter((name) => next[name]).map((name) => `${name}=${encodeURIComponent(next[name])}`);
  history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname + location.search);
}
