// Every way to open a database: an address, a ticket in a link, by its address, pasted or dropped, and a folder.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { buckets, expected, flights, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";
import { ticketFor } from "./ticket.mjs";

const folder = scratch();
let app, store;
const skip = missing("chromium");
before(async () => {
  if (skip) return;
  flights(folder);
  app = await serve({ "/": www });
  store = await serve({ "/fixtures/": buckets, "/": folder });
});
after(async () => {
  await app?.close();
  await store?.close();
});
const on = (name, hash, act) => withPage(name, { app: app.origin, stores: [store.origin], hash }, act);
const showsFlights = async (screen) => {
  await screen.opened();
  await screen.see(".figures", /27,0\d\d/);
};
const ticket = () => JSON.stringify(ticketFor(folder, "flights", store.origin));

for (const name of ["chromium", "firefox"]) {
  test(`an address that is typed opens, and stays in the page's own, in ${name}`, { skip: missing(name) }, async () => {
    await on(name, "", async (screen) => {
      await screen.type("#url", `${store.origin}/flights`);
      await screen.press("Enter");
      await showsFlights(screen);
      await screen.page.reload();
      await showsFlights(screen);
      await screen.click("#tab-keys");
      await screen.see("#key-list", /EWR\/01-01\/AA0119/);
      await screen.click("#key-list [role=option]");
      await screen.see("#value-text", /"year": 2013/);
      await screen.click("#another");
      await screen.see("#start", /Look into a database/);
      assert.equal(await screen.page.evaluate(() => location.hash), "");
    });
  });

  test(`a ticket in a link opens without a request for CURRENT, in ${name}`, { skip: missing(name) }, async () => {
    store.requests.length = 0;
    await on(name, `#ticket=${Buffer.from(ticket()).toString("base64url")}`, async (screen) => {
      await showsFlights(screen);
      await screen.see(".facts", /Ticket\s+expires 20/);
      await screen.click("#tab-keys");
      await screen.see("#key-list", /EWR/);
      await screen.click("#key-list [role=option]");
      await screen.see("#value-text", /2013/);
      assert.deepEqual(store.requests.filter(({ path }) => path.endsWith("CURRENT")), []);
    });
  });
}

test("a ticket opens by its address, pasted, dropped and chosen", { skip }, async () => {
  writeFileSync(join(folder, "ticket.json"), ticket());
  await on("chromium", `#ticket=${store.origin}/ticket.json`, showsFlights);
  await on("chromium", "", async (screen) => {
    await screen.page.evaluate((text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", text);
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }, ticket());
    await showsFlights(screen);
  });
  await on("chromium", "", async (screen) => {
    await drop(screen.page, join(folder, "ticket.json"));
    await showsFlights(screen);
  });
  await on("chromium", "", async (screen) => {
    await (await screen.page.$("#ticket")).uploadFile(join(folder, "ticket.json"));
    await showsFlights(screen);
  });
});

test("a dropped folder opens, whichever level it is dropped at; of several databases one is chosen", { skip }, async () => {
  await on("chromium", "", async (screen) => {
    await drop(screen.page, join(folder, "flights"));
    await showsFlights(screen);
    await screen.click("#tab-keys");
    await screen.see("#key-list", /EWR/);
    await screen.click("#key-list [role=option]");
    await screen.see("#value-text", /2013/);
  });
  await on("chromium", "", async (screen) => {
    await drop(screen.page, join(buckets, "prefix-nested"));
    await screen.opened();
    await screen.see("#where", /prefix-nested\/bucket\/a\/b\/c/);
    await screen.see(".figures", /in 1 tables/);
  });
  await on("chromium", "", async (screen) => {
    await drop(screen.page, buckets);
    await screen.see("#choices", new RegExp(`holds ${44} databases`));
    await screen.clickText("#choices button", "everything/bucket/db");
    await screen.opened();
    assert.equal((await screen.texts(".tables td.id")).length, expected("everything").l0.length + 2);
  });
});

for (const name of ["chromium", "firefox"]) {
  test(`a folder that is chosen opens, in ${name}`, { skip: missing(name) }, async () => {
    await on(name, "", async (screen) => {
      await chooseFolder(screen.page, name, join(buckets, "everything"));
      await screen.opened();
      await screen.see("#where", /bucket\/db/);
      await screen.click("#tab-keys");
      await screen.see("#key-count", /^200\+/);
      await screen.click("#key-list [role=option]");
      await screen.see("#value", /4,500 bytes|4\.4 KiB/);
    });
  });
}

test("what cannot be opened is refused with advice, before any request", { skip }, async () => {
  const refusals = [
    ["#url=s3://bucket/db", /isledb sign s3:\/\/bucket\/db/],
    ["#url=file:///etc", /drop it here/],
    ["#url=nonsense", /https:\/\/host\/prefix/],
    [`#ticket=${Buffer.from("{}").toString("base64url")}`, /no ticket/],
    ["#ticket=%21%21", /damaged/],
    [`#ticket=${"A".repeat(33 * 1024)}`, /too long/],
  ];
  for (const [hash, advice] of refusals) {
    store.requests.length = 0;
    await on("chromium", hash, async (screen) => {
      const { text, name } = await screen.problem();
      assert.equal(name, "Refused");
      assert.match(text, advice);
    });
    assert.deepEqual(store.requests, []);
  }
});

test("an expired ticket says so", { skip }, async () => {
  const old = JSON.stringify(ticketFor(folder, "flights", store.origin, -60_000));
  await on("chromium", `#ticket=${Buffer.from(old).toString("base64url")}`, async (screen) => {
    const { text } = await screen.problem();
    assert.match(text, /expired/);
    assert.match(text, /Ask for a new ticket/);
  });
});

/** Drops a real file or folder on the page, as the system would. */
async function drop(page, path) {
  const client = await page.createCDPSession();
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await client.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
}

/** Firefox takes no folder from a driver: its list of files is made in the page from what the folder holds. */
async function chooseFolder(page, name, path) {
  if (name === "chromium") return (await page.$("#folder")).uploadFile(path);
  await page.evaluate(async (address, files) => {
    const list = new DataTransfer();
    for (const file of files) {
      const body = await (await fetch(`${address}/${file}`)).blob();
      const made = new File([body], file.split("/").at(-1));
      Object.defineProperty(made, "webkitRelativePath", { value: `everything/${file}` });
      list.items.add(made);
    }
    const input = document.querySelector("#folder");
    Object.defineProperty(input, "files", { value: [...list.files].map((file, i) => Object.defineProperty(file, "webkitRelativePath", { value: `everything/${files[i]}` })) });
    input.dispatchEvent(new Event("change"));
  }, `${store.origin}/fixtures/everything`, filesOf(path));
}

function filesOf(path) {
  const objects = Object.keys(ticketFor(join(path, "bucket"), "db", "").objects);
  return ["manifest/CURRENT", ...objects].map((name) => `bucket/db/${name}`);
}
