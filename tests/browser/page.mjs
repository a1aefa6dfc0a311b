// The inspector in a browser, watched: a violation of its content policy, a request to a third party, or an error that nobody
// caught fails the test that caused it.

import assert from "node:assert/strict";
import { browser } from "./browsers.mjs";

/** How long anything on the page may take, in milliseconds: generous, since a machine may be busy. */
const PATIENCE_MS = 30_000;

/**
 * Opens `${app}/${hash}` in a new tab. `stores`: the origins that it may read besides its own.
 * `within(page, test)` closes it and checks what was watched.
 */
export async function openPage(name, { app, stores = [], hash = "", width = 1280, height = 860, scheme = "light" }) {
  const page = await (await browser(name)).newPage();
  const seen = { violations: [], errors: [], strangers: [] };
  const allowed = new Set([app, ...stores].map((url) => new URL(url).origin));
  // Firefox says here what Chromium says on the console: that an answer was not for this page.
  page.on("pageerror", (error) => /Cross-Origin Request Blocked/.test(error) || seen.errors.push(String(error)));
  page.on("console", (message) => {
    if (/content.security.policy|trustedhtml|trusted type/i.test(message.text())) seen.violations.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (/^https?:$/.test(url.protocol) && !allowed.has(url.origin)) seen.strangers.push(request.url());
  });
  await page.setViewport({ width, height });
  if (name === "chromium") await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.evaluateOnNewDocument(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(`${app}/${hash}`);
  return new Screen(page, seen);
}

/** Opens a page, runs `test` with it, closes it; whatever it broke fails. */
export async function withPage(name, options, test) {
  const screen = await openPage(name, options);
  try {
    await test(screen);
    await screen.check();
  } finally {
    await screen.page.close();
  }
}

/** What a person sees and does. */
class Screen {
  #seen;

  constructor(page, seen) {
    this.page = page;
    this.#seen = seen;
  }

  /** Waits until `condition`, a function that runs in the page, gives something true, and returns that. */
  async until(condition, ...args) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await this.page.evaluate(condition, ...args);
      if (found) return found;
      if (Date.now() > end) {
        const text = await this.page.evaluate(() => document.body.innerText);
        assert.fail(`waited in vain for ${condition} ${JSON.stringify(args)}; the page says:\n${text.slice(0, 3000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Waits until the visible text of `selector` matches, and returns that text. */
  see(selector, pattern) {
    return this.until(
      (selector, source, flags) => {
        const shown = [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility()).map((one) => one.innerText);
        return shown.find((text) => new RegExp(source, flags).test(text));
      },
      selector,
      pattern.source,
      pattern.flags,
    );
  }

  /** The visible text of `selector`, at once. */
  text(selector) {
    return this.page.$eval(selector, (one) => one.innerText);
  }

  texts(selector) {
    return this.page.$$eval(selector, (all) => all.map((one) => one.innerText));
  }

  async click(selector) {
    await this.until((selector) => document.querySelector(selector)?.checkVisibility(), selector);
    await this.page.$eval(selector, (one) => one.scrollIntoView({ block: "center" }));
    await this.page.click(selector);
  }

  /** Clicks the first of `selector` with this text. */
  async clickText(selector, text) {
    const at = await this.until(
      (selector, text) => {
        const at = [...document.querySelectorAll(selector)].findIndex((one) => one.textContent.includes(text));
        return at < 0 ? null : { at };
      },
      selector,
      text,
    );
    await (await this.page.$$(selector))[at.at].click();
  }

  async type(selector, text) {
    await this.click(selector);
    await this.page.$eval(selector, (one) => one.select());
    await this.page.keyboard.type(text);
  }

  press(...keys) {
    return keys.reduce((before, key) => before.then(() => this.page.keyboard.press(key)), Promise.resolve());
  }

  /**
   * A name for what has the focus: its id, or its role or tag and text. Not by `innerText`, which is empty until what was scrolled
   * into sight is painted.
   */
  focus() {
    return this.page.evaluate(() => {
      const one = document.activeElement;
      return one.id || `${one.getAttribute("role") ?? one.localName} ${one.textContent.trim()}`.slice(0, 60);
    });
  }

  /** Starts a tail by `start()`, and waits until it has looked twice: what is committed from then on is new to it. */
  async tailing(store, start) {
    const looks = () => store.requests.filter(({ path, status }) => path.endsWith("CURRENT") && status > 0).length;
    const before = looks();
    await start();
    await this.see("#tail-status", /Waiting/);
    for (const end = Date.now() + PATIENCE_MS; looks() < before + 2; ) {
      assert.ok(Date.now() < end, "the tail does not look for news");
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  opened() {
    return this.until(() => document.querySelector("#database")?.hidden === false);
  }

  /** Waits for an error on the page and returns {name, title, text}. */
  problem() {
    return this.until(() => {
      const one = [...document.querySelectorAll(".problem")].find((one) => one.checkVisibility());
      return one && { name: one.dataset.error, title: one.querySelector("h2").innerText, text: one.innerText };
    });
  }

  /** Numbers of the meter: {requests, preflights}. */
  async meter() {
    const [requests, preflights] = await this.page.evaluate(() =>
      ["requests", "preflights"].map((name) => document.querySelector(`.meter-${name}`).textContent),
    );
    const number = (text) => Number((/[\d,]+/.exec(text)?.[0] ?? "0").replaceAll(",", ""));
    return { requests: number(requests), preflights: number(preflights) };
  }

  async check() {
    const violations = await this.page.evaluate(() => globalThis.violations);
    assert.deepEqual({ ...this.#seen, inPage: violations }, { violations: [], errors: [], strangers: [], inPage: [] });
  }
}
