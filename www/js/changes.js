// The live tail: changes as they are committed, newest on top, a bounded number of them.

import { keyText, parseKey, utf8 } from "./bytes.js";
import { $, copyButton, make } from "./dom.js";
import { count, counted, size } from "./format.js";
import { clearProblem, showProblem } from "./problem.js";

/** Older rows leave the page; the cursor says where they are. */
const ROWS_MAX = 500;
const PREVIEW_MAX = 120;

export class Changes {
  #reader = null;
  #controller = null;
  #pending = [];
  #seen = 0;
  #cursor = null;
  #body = null;
  #open;

  /** `open(key)` shows a key in the other tab. */
  constructor({ open }) {
    this.#open = open;
    $("from").addEventListener("change", () => ($("cursor-field").hidden = $("from").value !== "cursor"));
    $("follow").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#controller) this.stop();
      else this.start();
    });
    this.#empty();
  }

  attach(reader) {
    this.stop();
    this.#reader = reader;
    this.#cursor = null;
    clearProblem($("tail-problem"));
    this.#empty();
  }

  async start() {
    const controller = (this.#controller = new AbortController());
    const from = $("from").value === "cursor" ? $("cursor").value.trim() : $("from").value;
    clearProblem($("tail-problem"));
    this.#seen = 0;
    this.#cursor = null;
    this.#body = make("tbody");
    $("tail-rows").replaceChildren(
      make(
        "table",
        { class: "stack changes" },
        make("thead", {}, make("tr", {}, [["Sequence", "number"], ["Change"], ["Key"], ["Value"]].map(([head, kind]) => make("th", { scope: "col", class: kind }, head)))),
        this.#body,
      ),
    );
    this.#state();
    try {
      for await (const change of this.#reader.tail({ from, prefix: parseKey($("tail-prefix").value), signal: controller.signal })) {
        if (controller.signal.aborted) return;
        this.#take(change);
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      showProblem($("tail-problem"), error, () => this.start());
    }
    if (this.#controller === controller) this.stop();
  }

  stop() {
    this.#controller?.abort();
    this.#controller = null;
    this.#state();
  }

  /** Many changes come at once: they reach the page once a frame. */
  #take(change) {
    this.#pending.push(change);
    if (this.#pending.length > ROWS_MAX) this.#pending.shift();
    this.#seen++;
    this.#cursor = change.cursor;
    if (this.#pending.length > 1) return;
    setTimeout(() => {
      const rows = this.#pending.map((one) => this.#row(one)).reverse();
      this.#pending = [];
      this.#body.prepend(...rows);
      while (this.#body.childElementCount > ROWS_MAX) this.#body.lastElementChild.remove();
      this.#state();
    }, 50);
  }

  #row({ sequence, op, key, value }) {
    const name = keyText(key);
    return make(
      "tr",
      {},
      make("td", { class: "number", "data-label": "Sequence" }, count(sequence)),
      make("td", { "data-label": "Change" }, make("span", { class: `op op-${op}` }, op)),
      make("td", { class: "mono key", "data-label": "Key" }, make("button", { type: "button", class: "link", onclick: () => this.#open(key) }, name)),
      make("td", { class: "mono preview", "data-label": "Value" }, value ? preview(value) : ""),
    );
  }

  #state() {
    const running = this.#controller !== null;
    $("follow-toggle").textContent = running ? "Stop" : "Start";
    for (const id of ["from", "cursor", "tail-prefix"]) $(id).disabled = running;
    const dropped = this.#seen > ROWS_MAX ? `, the last ${ROWS_MAX} are shown` : "";
    const text = this.#seen > 0 ? `${counted(this.#seen, "change")}${dropped}` : running ? "Waiting for the next change…" : "";
    $("tail-status").replaceChildren(
      make("span", { class: running ? "live" : null }, text),
      ...(this.#cursor ? [" ", copyButton("Copy the cursor", () => this.#cursor)] : []),
    );
  }

  #empty() {
    $("tail-rows").replaceChildren(
      make("p", { class: "empty" }, "Changes appear here as writers commit them, deletes too. Looking for news costs one small request every few seconds."),
    );
    $("tail-status").replaceChildren();
  }
}

function preview(value) {
  const text = utf8(value.subarray(0, PREVIEW_MAX));
  return text === null ? `${size(value.length)} of bytes` : value.length > PREVIEW_MAX ? `${text}…` : text;
}
