// Dropped and pasted things: a folder, or a ticket as a file or as text.

import { $ } from "./dom.js";
import { filesOf } from "./folders.js";

/** `on.handle`, `on.files`, `on.ticket` take what came; `on.failed` takes an error. */
export function acceptDrops(on) {
  let depth = 0;
  const veil = (shown) => ($("dropping").hidden = !shown);
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    depth++;
    veil(true);
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) veil(false);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    veil(false);
    dropped(event.dataTransfer, on).catch(on.failed);
  });
  addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    const text = event.clipboardData?.getData("text/plain").trim();
    if (text?.startsWith("{")) on.ticket(text);
  });
}

async function dropped(transfer, on) {
  const item = [...transfer.items].find((one) => one.kind === "file");
  if (!item) {
    const text = transfer.getData("text/plain");
    return text && on.ticket(text);
  }
  // All of these have to be asked before the first await: then the transfer is empty.
  const entry = item.webkitGetAsEntry?.();
  const opening = item.getAsFileSystemHandle?.();
  const file = item.getAsFile();
  const handle = await opening?.catch(() => null);
  if (handle?.kind === "directory") return on.handle(handle);
  if (entry?.isDirectory) return on.files(await filesOf(entry));
  on.ticket(await file.text());
}
