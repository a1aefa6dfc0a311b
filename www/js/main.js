// Ties the page together: opens what the address, a form, a drop or a paste names, and shows it.

import { readAddress, writeAddress } from "./address.js";
import { parseKey, keyText } from "./bytes.js";
import { Changes } from "./changes.js";
import { $, announce, make } from "./dom.js";
import { acceptDrops } from "./drop.js";
import { databasesAmong, databasesIn } from "./folders.js";
import { counted, size } from "./format.js";
import { Keys } from "./keys.js";
import { Meter } from "./meter.js";
import { Overview } from "./overview.js";
import { clearProblem, showProblem } from "./problem.js";
import { fromAddress, fromTicketLink, fromTicketText, Refused } from "./sources.js";
import { tabRow } from "./tabs.js";
import { Value } from "./value.js";

const meter = new Meter($("meter"));
const overview = new Overview($("overview"));
const value = new Value({
  back: () => {
    writeAddress({ key: null });
    keys.focus();
  },
});
const keys = new Keys({ open: openKey, moved: ({ prefix }) => writeAddress({ prefix }) });
const changes = new Changes({
  open: (key) => {
    selectTab($("tab-keys"));
    openKey(key);
  },
});
const selectTab = tabRow([$("tab-overview"), $("tab-keys"), $("tab-changes")], (tab) => {
  const name = tab.getAttribute("aria-controls");
  writeAddress({ tab: name === "overview" ? null : name });
  if (name === "keys" && session && !keys.listed) keys.list();
});

/** How long a person waits for one answer: repeated requests to a store that is away come to an end then. */
const PATIENCE_MS = 10_000;
/** What is open: {reader, name, ticket}. */
let session = null;
/** Counts attempts: an answer to an older one is thrown away. */
let attempt = 0;

function openKey(key) {
  writeAddress({ key: keyText(key) });
  value.open(key);
}

/** Opens what `find()` gives, {source, name, ticket?, options?}; `again` is what "Try again" does. */
async function open(find, address) {
  const mine = ++attempt;
  const busy = (on) => document.body.classList.toggle("busy", on);
  clearProblem($("problem"));
  $("choices").replaceChildren();
  busy(true);
  try {
    const { source, name, ticket, options } = await find();
    // Loaded when it is needed: the form stands there at once.
    const { Reader } = await import("../isledb/web.js");
    const reader = await Reader.open(source, { ...options, timeoutMs: PATIENCE_MS });
    if (mine !== attempt) return dispose(reader);
    const view = reader.view();
    if (!view.exists) {
      dispose(reader);
      throw noDatabase(name);
    }
    show({ reader, name, ticket }, view, address);
  } catch (error) {
    if (mine !== attempt) return;
    close();
    showProblem($("problem"), error, () => open(find, address));
  } finally {
    if (mine === attempt) busy(false);
  }
}

function noDatabase(name) {
  const error = new Error(`${name} has no manifest/CURRENT.`);
  error.name = "NoDatabase";
  error.hint = "Look at the prefix: the address ends where the database begins, one level above its `manifest` folder. A writer that never flushed has written nothing yet.";
  return error;
}

function show(next, view, address) {
  session = next;
  // Who opened it by hand goes on with the keyboard from here; a page that opens by its address moves no focus.
  const acted = $("start").contains(document.activeElement);
  meter.follow(next.reader);
  $("where").textContent = $("where").title = next.name;
  document.title = `${next.name} · isledb inspector`;
  $("start").hidden = true;
  $("database").hidden = false;
  $("actions").hidden = false;
  overview.show(view, next.ticket);
  const { tab, prefix, key } = address ?? {};
  $("prefix").value = prefix ?? "";
  $("seek").value = "";
  keys.attach(next.reader);
  value.attach(next.reader);
  changes.attach(next.reader);
  selectTab($(key ? "tab-keys" : tab === "keys" || tab === "changes" ? `tab-${tab}` : "tab-overview"));
  if (key) openKey(parseKey(key));
  else if (acted) $("database").querySelector("[role=tab][aria-selected=true]").focus();
  announce(`Opened ${next.name}: ${counted(view.tables ?? 0, "table")}, ${size(view.bytes)}`);
}

/** Back to the first screen. */
function close() {
  if (session) {
    changes.stop();
    keys.detach();
    dispose(session.reader);
  }
  session = null;
  meter.follow(null);
  document.title = "isledb inspector";
  $("where").textContent = "";
  $("database").hidden = true;
  $("actions").hidden = true;
  $("start").hidden = false;
}

function dispose(reader) {
  reader[Symbol.dispose]?.();
}

/** Of several databases in a folder one is chosen. */
function openFolder(name, prefixes, sourceOf) {
  if (prefixes.length <= 1) {
    return open(() => {
      if (prefixes.length === 0) throw noDatabase(`The folder ${name}`);
      return sourceOf(prefixes[0]);
    });
  }
  close();
  clearProblem($("problem"));
  $("choices").replaceChildren(
    make("h2", {}, `${name} holds ${prefixes.length} databases`),
    make("ul", { class: "choices" }, prefixes.slice(0, 500).map((prefix) => make("li", {}, make("button", { type: "button", class: "link mono", onclick: () => open(() => sourceOf(prefix)) }, prefix)))),
  );
  $("choices").querySelector("button").focus();
}

const folderName = (folder, prefix) => (prefix ? `${folder}/${prefix}` : folder);

async function openHandle(handle) {
  writeAddress({ url: null, ticket: null, tab: null, prefix: null, key: null });
  await openFolder(handle.name, await databasesIn(handle), (prefix) => ({
    source: { folder: handle },
    options: { prefix },
    name: folderName(handle.name, prefix),
  }));
}

function openFiles(files) {
  writeAddress({ url: null, ticket: null, tab: null, prefix: null, key: null });
  const folder = files[0]?.webkitRelativePath.split("/")[0] || "The folder";
  return openFolder(folder, databasesAmong(files), (prefix) => ({
    source: { files },
    options: { prefix },
    name: prefix,
  }));
}

function openTicket(text) {
  writeAddress({ url: null, ticket: null, tab: null, prefix: null, key: null });
  return open(() => fromTicketText(text));
}

/** What the page's address names, if it names something. */
function openAddress() {
  const address = readAddress(location.hash);
  if (address.url) {
    $("url").value = address.url;
    return open(() => fromAddress(address.url), address);
  }
  if (address.ticket) return open(() => fromTicketLink(address.ticket), address);
  attempt++;
  clearProblem($("problem"));
  close();
  $("url").focus();
}

$("open-url").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("url").value;
  if (text.trim().startsWith("{")) return openTicket(text);
  writeAddress({ url: text.trim(), ticket: null, tab: null, prefix: null, key: null });
  open(() => fromAddress(text));
});
$("choose-folder").addEventListener("click", async () => {
  if (!globalThis.showDirectoryPicker) return $("folder").click();
  try {
    await openHandle(await showDirectoryPicker());
  } catch (error) {
    if (error.name !== "AbortError") showProblem($("problem"), error);
  }
});
$("folder").addEventListener("change", (event) => openFiles([...event.target.files]));
$("choose-ticket").addEventListener("click", () => $("ticket").click());
$("ticket").addEventListener("change", async (event) => openTicket(await event.target.files[0].text()));
$("another").addEventListener("click", () => {
  attempt++;
  writeAddress({ url: null, ticket: null, tab: null, prefix: null, key: null });
  clearProblem($("problem"));
  close();
  $("url").focus();
});
$("refresh").addEventListener("click", async () => {
  const { reader, ticket } = session;
  clearProblem($("problem"));
  try {
    const changed = await reader.refresh();
    if (session?.reader !== reader) return;
    overview.show(reader.view(), ticket);
    if (changed && keys.listed) await keys.list();
    announce(changed ? "There is a new version" : "Nothing is new");
  } catch (error) {
    showProblem($("problem"), error);
  }
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  if (!session) return $("url").focus();
  selectTab($("tab-keys"));
  $("prefix").focus();
  $("prefix").select();
});
addEventListener("hashchange", openAddress);
acceptDrops({
  handle: openHandle,
  files: openFiles,
  ticket: openTicket,
  failed: (error) => showProblem($("problem"), error instanceof Refused ? error : Object.assign(error, { hint: "Drop a folder, or the file of a ticket." })),
});
openAddress();
