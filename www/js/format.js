// Numbers, sizes and times for people, as the command line writes them.

export const NONE = "unknown";

export function count(n) {
  return n === null || n === undefined ? NONE : n.toLocaleString("en-US");
}

export function counted(n, word) {
  return `${count(n)} ${word}${Number(n) === 1 ? "" : "s"}`;
}

/** `512 B`, `1.5 KiB`, `16.0 MiB`. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return NONE;
  let value = Number(bytes);
  if (value < 1024) return `${value} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = -1;
  do {
    value /= 1024;
    unit++;
  } while (value >= 1023.95 && unit + 1 < units.length);
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** `3 s`, `2 min`, `5 h`, `4 days`: one unit, rounded down. */
export function span(ms) {
  if (ms === null || ms === undefined) return NONE;
  const seconds = Math.max(0, Math.floor(Number(ms) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200 && seconds !== 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** `2026-11-23 16:45:22 UTC`. */
export function date(ms) {
  const time = new Date(Number(ms));
  return Number.isNaN(time.getTime()) ? `${ms} ms` : time.toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
}

export function ago(ms) {
  return ms === null || ms === undefined ? NONE : `${span(Date.now() - Number(ms))} ago`;
}

/** Small amounts keep two digits that mean something. */
export function dollars(usd) {
  if (usd === 0) return "$0";
  if (usd >= 0.01) return `$${usd.toFixed(2)}`;
  return `$${usd.toFixed(Math.min(10, 1 - Math.floor(Math.log10(usd)))).replace(/0+$/, "")}`;
}
