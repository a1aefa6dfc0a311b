// What reading has cost so far: always in sight.

import { make } from "./dom.js";
import { counted, dollars, size } from "./format.js";

/** List price of S3 for a reader in the bucket's region: requests alone, in dollars. */
const USD_PER_GET = 0.0000004;
const USD_PER_LIST = 0.000005;
const EVERY_MS = 250;

export class Meter {
  #parts;
  #reader = null;
  #shown = "";

  constructor(element) {
    const part = (name, title) => make("span", { class: `meter-${name}`, title });
    this.#parts = {
      requests: part("requests", "Requests to the store"),
      bytes: part("bytes", "Bytes read"),
      rounds: part("rounds", "Longest chain of requests that had to wait for one another"),
      preflights: part("preflights", "Questions by the browser whether the store allows this page; a store answers them free or as a GET"),
      cost: part("cost", "At the list price of S3 for requests, read from the bucket's region; elsewhere, transfer comes on top"),
    };
    element.append(...Object.values(this.#parts));
    this.#show();
    setInterval(() => this.#show(), EVERY_MS);
  }

  /** Counts for this reader from now on; null shows zeros. */
  follow(reader) {
    this.#reader = reader;
    this.#show();
  }

  #show() {
    const stats = this.#reader?.stats() ?? { requests: {}, bytesRead: 0, roundTrips: 0 };
    const { get = 0, head = 0, list = 0, put = 0, delete: deletes = 0, preflight = 0 } = stats.requests;
    const requests = Number(get) + Number(head) + Number(list) + Number(put) + Number(deletes);
    const text = {
      requests: counted(requests, "request"),
      bytes: `${size(stats.bytesRead)} read`,
      rounds: counted(stats.roundTrips, "round trip"),
      preflights: Number(preflight) > 0 ? counted(preflight, "preflight") : "",
      cost: dollars((Number(get) + Number(head)) * USD_PER_GET + Number(list) * USD_PER_LIST),
    };
    const shown = Object.values(text).join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    for (const [name, element] of Object.entries(this.#parts)) {
      element.textContent = text[name];
      element.hidden = text[name] === "";
    }
  }
}
