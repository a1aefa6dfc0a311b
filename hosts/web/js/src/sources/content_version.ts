/** Begins the versions that are made of content, where a store gives none. */
const MARK = "content:";

/** A version that equal contents share: for stores that give no ETag, or do not let a page see it. FNV-1a of 64 bits, and the length. */
export function contentVersion(bytes: Uint8Array): string {
  let low = 0x84222325;
  let high = 0xcbf29ce4;
  for (const byte of bytes) {
    low ^= byte;
    // Times 2^40 + 0x1b3, in halves of 32 bits.
    const product = low * 0x1b3;
    high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  const hex = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
  return `${MARK}${bytes.length}-${hex(high)}${hex(low)}`;
}

/** True for a version that the store knows nothing of. */
export function isOfContent(version: string): boolean {
  return version.startsWith(MARK);
}
