// One key: its value as JSON, text or bytes, its download, and why it is what it is.

import { hexDump, keyText, utf8 } from "./bytes.js";
import { $, announce, make } from "./dom.js";
import { download } from "./download.js";
import { count, size } from "./format.js";
import { isDocument, pretty } from "./json.js";
import { showProblem } from "./problem.js";
import { tabRow } from "./tabs.js";
import { whySection } from "./why.js";

/** More of a value is not shown: it is downloaded. */
const SHOWN_MAX = 64 * 1024;

export class Value {
  #pane = $("value");
  #panes = $("panes");
  #reader = null;
  #generation = 0;
  #back;

  /** `back()` is called when the reader leaves the value for the list. */
  constructor({ back }) {
    this.#back = back;
    this.#pane.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#leave();
    });
    this.clear();
  }

  attach(reader) {
    this.#reader = reader;
    this.clear();
  }

  clear() {
    this.#generation++;
    this.#panes.classList.remove("reading");
    this.#pane.replaceChildren(
      make("p", { class: "empty" }, "Choose a key to see its value. ", make("kbd", {}, "↑"), " ", make("kbd", {}, "↓"), " move, ", make("kbd", {}, "Enter"), " opens, ", make("kbd", {}, "Esc"), " goes back."),
    );
  }

  /** Reads and shows `key`; the focus goes to it. */
  async open(key) {
    const generation = ++this.#generation;
    const name = keyText(key);
    const body = make("div", { class: "value-body" }, make("p", { class: "faint" }, "Reading…"));
    const head = make(
      "header",
      { class: "value-head" },
      make("button", { type: "button", class: "quiet back", onclick: () => this.#leave() }, "← Keys"),
      make("h2", { class: "mono wrap" }, name),
    );
    this.#panes.classList.add("reading");
    this.#pane.replaceChildren(head, body, whySection(this.#reader, key));
    this.#pane.focus({ preventScroll: true });
    this.#pane.scrollTop = 0;
    try {
      const found = await this.#head(key);
      if (generation !== this.#generation) return;
      body.replaceChildren(...(found ? this.#shown(key, name, found) : nothing()));
      announce(found ? `${name}, ${size(found.size)}` : `${name} is not there`);
    } catch (error) {
      if (generation === this.#generation) showProblem(body, error, () => this.open(key));
    }
  }

  /** {size, bytes}: the first bytes of the value; the rest is not fetched. */
  async #head(key) {
    const stream = await this.#reader.getStream(key);
    if (!stream) return undefined;
    const bytes = new Uint8Array(Math.min(Number(stream.size), SHOWN_MAX));
    const reader = stream.body.getReader();
    let at = 0;
    while (at < bytes.length) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, bytes.length - at);
      bytes.set(part, at);
      at += part.length;
    }
    await reader.cancel();
    return { size: Number(stream.size), bytes: bytes.subarray(0, at) };
  }

  #shown(key, name, { size: whole, bytes }) {
    const cut = whole > bytes.length;
    const views = viewsOf(bytes, cut);
    const pre = make("pre", { class: "value-text", tabindex: "0", id: "value-text", role: "tabpanel" });
    const tabs = views.map(({ label }, i) =>
      make("button", { type: "button", role: "tab", "aria-selected": i === 0, tabindex: i === 0 ? null : "-1" }, label),
    );
    const select = tabRow(tabs, (tab) => pre.replaceChildren(...views[tabs.indexOf(tab)].nodes()));
    select(tabs[0]);
    return [
      make(
        "div",
        { class: "value-bar" },
        make("div", { class: "tabs small", role: "tablist", "aria-label": "Show as" }, tabs),
        make("span", { class: "value-size" }, whole === 0 ? "empty" : size(whole)),
        make("button", { type: "button", onclick: (event) => this.#download(event.target, key, name) }, "Download"),
      ),
      cut && make("p", { class: "notice" }, `The first ${size(bytes.length)} of ${count(whole)} bytes. Download it to have the whole.`),
      whole === 0 ? make("p", { class: "empty" }, "The value is empty: the key is there, with no bytes.") : pre,
    ].filter(Boolean);
  }

  async #download(button, key, name) {
    button.disabled = true;
    try {
      const stream = await this.#reader.getStream(key);
      if (stream && (await download(stream.body, name))) announce("Downloaded");
    } catch (error) {
      showProblem(this.#pane.querySelector(".value-body"), error, () => this.open(key));
    } finally {
      button.disabled = false;
    }
  }

  #leave() {
    this.#panes.classList.remove("reading");
    this.#back();
  }
}

/** The ways to show these bytes, the one that says most first. */
function viewsOf(bytes, cut) {
  const text = utf8(cut ? wholeCharacters(bytes) : bytes);
  const width = matchMedia("(max-width: 40rem)").matches ? 8 : 16;
  const asHex = { label: "Hex", nodes: () => [hexDump(bytes, width)] };
  if (text === null) return [asHex];
  const asText = { label: "Text", nodes: () => [text] };
  // Of a cut document nothing can be said.
  return !cut && isDocument(text) ? [{ label: "JSON", nodes: () => pretty(text) }, asText, asHex] : [asText, asHex];
}

/** Without a character that the cut went through. */
function wholeCharacters(bytes) {
  let end = bytes.length;
  while (end > 0 && bytes.length - end < 3 && (bytes[end - 1] & 0xc0) === 0x80) end--;
  const lead = bytes[end - 1] ?? 0;
  const needs = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return bytes.length - end + 1 >= needs ? bytes : bytes.subarray(0, end - 1);
}

function nothing() {
  return [make("p", { class: "empty" }, "The key is not there: never written, deleted, or expired. Below is what each table says of it.")];
}
