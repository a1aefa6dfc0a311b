// The list of keys: by prefix, from a key on, a page at a time as one scrolls.

import { keyText, parseKey } from "./bytes.js";
import { $, announce, make } from "./dom.js";
import { count } from "./format.js";
import { clearProblem, showProblem } from "./problem.js";
import { rovingList } from "./roving.js";

const PAGE = 200;

export class Keys {
  #reader = null;
  #scan = null;
  #generation = 0;
  #shown = 0;
  #loading = false;
  #list = $("key-list");
  #end = make("p", { class: "list-end" });
  #roving;
  #open;
  #moved;

  /** `open(bytes)` shows a key's value; `moved({prefix})` is told what is listed. */
  constructor({ open, moved }) {
    this.#open = open;
    this.#moved = moved;
    this.#roving = rovingList(this.#list, { open: (item) => this.#choose(item), near: () => this.#more() });
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#more(), {
      root: this.#list,
      rootMargin: "300px",
    }).observe(this.#end);
    $("find").addEventListener("submit", (event) => {
      event.preventDefault();
      this.list();
    });
    $("go-get").addEventListener("click", () => this.#lookUp());
    $("prefix").addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.preventDefault();
        if ($("prefix").value === "") return this.focus();
        $("prefix").value = "";
        this.list();
      }
    });
    $("seek").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.focus();
    });
  }

  /** Nothing is read before the list is shown for the first time. */
  attach(reader) {
    this.detach();
    this.#reader = reader;
  }

  detach() {
    this.#stop();
    this.#reader = null;
    this.#generation++;
    this.#list.replaceChildren();
    $("key-count").textContent = "";
  }

  get listed() {
    return this.#scan !== null || this.#shown > 0;
  }

  async list() {
    this.#stop();
    this.#generation++;
    const prefix = $("prefix").value;
    const seek = $("seek").value;
    this.#moved({ prefix });
    this.#shown = 0;
    this.#loading = false;
    this.#list.replaceChildren(this.#end);
    this.#list.scrollTop = 0;
    const start = seek === "" ? undefined : parseKey(seek);
    this.#scan = this.#reader.scan({ prefix: parseKey(prefix), start, keysOnly: true })[Symbol.asyncIterator]();
    await this.#more();
  }

  focus() {
    this.#roving.focus();
  }

  async #more() {
    const scan = this.#scan;
    if (!scan || this.#loading) return;
    this.#loading = true;
    const generation = this.#generation;
    this.#end.textContent = "Reading…";
    const keys = [];
    try {
      let done = false;
      while (keys.length < PAGE && !done) {
        const next = await scan.next();
        if (generation !== this.#generation) return;
        done = next.done;
        if (!done) keys.push(next.value.key.slice());
      }
      this.#add(keys, done);
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#scan = null;
      this.#add(keys, false);
      showProblem(this.#end, error, () => {
        clearProblem(this.#end);
        this.list();
      });
    } finally {
      if (generation === this.#generation) this.#loading = false;
    }
  }

  #add(keys, done) {
    const items = keys.map((key) => {
      const item = make("div", { role: "option", tabindex: "-1", "aria-selected": "false" }, keyText(key));
      item.key = key;
      return item;
    });
    this.#end.before(...items);
    this.#shown += keys.length;
    this.#roving.ready();
    if (done) this.#scan = null;
    this.#end.textContent = "";
    if (done) this.#end.textContent = this.#shown === 0 ? this.#nothing() : "";
    $("key-count").textContent = this.#shown === 0 ? "" : `${count(this.#shown)}${done ? "" : "+"} keys${done ? "" : ", more as you scroll"}`;
  }

  #nothing() {
    if ($("seek").value) return "No key from here on.";
    return $("prefix").value ? "No key has this prefix." : "This database holds no keys.";
  }

  #choose(item) {
    this.#roving.mark(item);
    this.#open(item.key);
  }

  #lookUp() {
    if ($("seek").value === "") {
      $("seek").focus();
      return announce("Type a key to look it up");
    }
    this.#roving.mark(null);
    this.#open(parseKey($("seek").value));
  }

  #stop() {
    this.#scan?.return?.()?.catch?.(() => {});
    this.#scan = null;
  }
}
