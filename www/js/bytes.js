// Bytes as text and back. Keys are bytes: what is no printable UTF-8 is written \xNN, and read so too.

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of these bytes, or null where they are not UTF-8. */
export function utf8(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

const hex = (byte) => byte.toString(16).padStart(2, "0");
const escaped = (byte) => `\\x${hex(byte)}`;

/** A key for people. `parseKey` reads it back. */
export function keyText(bytes) {
  const text = utf8(bytes);
  if (text === null) return Array.from(bytes, (byte) => (byte > 0x20 && byte < 0x7f && byte !== 0x5c ? String.fromCharCode(byte) : escaped(byte))).join("");
  // Controls, and what would turn the direction of the text or hide in it.
  return text
    .replaceAll("\\", "\\\\")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => Array.from(encoder.encode(c), escaped).join(""));
}

/** The bytes of a key as people write it: `\xNN` is a byte, `\\` a backslash, all else UTF-8. */
export function parseKey(text) {
  const out = [];
  for (const part of text.match(/\\x[0-9a-fA-F]{2}|\\\\|[^\\]+|\\/g) ?? []) {
    if (part.startsWith("\\x")) out.push(parseInt(part.slice(2), 16));
    else out.push(...encoder.encode(part === "\\\\" ? "\\" : part));
  }
  return Uint8Array.from(out);
}

/** Lines of offset, bytes and characters. */
export function hexDump(bytes, width) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += width) {
    const row = bytes.subarray(at, at + width);
    const digits = Array.from(row, hex).join(" ").padEnd(width * 3 - 1);
    const text = Array.from(row, (byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits}  ${text}`);
  }
  return lines.join("\n");
}

/** Base64url or base64, with or without its padding. Throws where it is neither. */
export function fromBase64(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}
