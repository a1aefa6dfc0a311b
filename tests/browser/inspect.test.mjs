// `isledb inspect`: the page that the command serves, under the command's own policy, on the database behind it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { missing } from "./browsers.mjs";
import { command, flights, scratch, www } from "./data.mjs";
import { withPage } from "./page.mjs";

const skip = missing("chromium");
const folder = scratch();
let serving, link;
before(async () => {
  if (skip) return;
  flights(folder);
  serving = spawn(command, ["inspect", `${folder}/flights`, "--www", www, "--json"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(serving.stdout, "data");
  link = new URL(JSON.parse(String(line).split("\n")[0]).link);
});
after(() => serving?.kill());

test("the link that it prints opens the database, with nothing but requests to the command", { skip }, async () => {
  await withPage("chromium", { app: link.origin, hash: link.hash }, async (screen) => {
    await screen.opened();
    await screen.see(".figures", /27,0\d\d/);
    await screen.click("#tab-keys");
    await screen.type("#seek", "notes/exact");
    await screen.click("#go-get");
    await screen.see("#value-text", /12345678901234567890/);
    assert.equal((await screen.meter()).preflights, 0);
  });
});
