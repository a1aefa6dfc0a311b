// A real S3 service: a ticket that the command signs for it, opened by the inspector of another origin.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { startStore } from "../conformance/js/store.mjs";
import { missing as missingTools } from "../tools.mjs";
import { missing } from "./browsers.mjs";
import { command, www } from "./data.mjs";
import { withPage } from "./page.mjs";
import { serve } from "./serve.mjs";

const skip = missing("chromium") || missingTools("versitygw");
let app, s3;
before(async () => {
  if (skip) return;
  app = await serve({ "/": www });
  s3 = await startStore();
});
after(async () => {
  await app?.close();
  await s3?.stop();
});

test("a ticket of isledb sign opens in Chromium, over CORS, without credentials", { skip }, async () => {
  const env = { ...process.env, ...s3.variables, AWS_ALLOW_HTTP: "true" };
  const isledb = (args, input) => execFileSync(command, args, { input, env, encoding: "utf8", stdio: ["pipe", "pipe", "inherit"] });
  const url = `${s3.variables.URL}/shared/db`;
  const puts = Array.from({ length: 300 }, (_, i) => ({ op: "put", key: `user/${String(i).padStart(3, "0")}`, value: `number ${i}` }));
  isledb(["batch", url], puts.map((put) => `${JSON.stringify(put)}\n`).join(""));
  const ticket = isledb(["sign", url]);
  assert.match(ticket, /X-Amz-Signature/);
  assert.ok(!ticket.includes(s3.access.secretAccessKey));

  const options = { app: app.origin, stores: [s3.access.endpoint], hash: `#ticket=${Buffer.from(ticket).toString("base64url")}` };
  await withPage("chromium", options, async (screen) => {
    await screen.opened();
    await screen.see(".figures", /\b300\b/);
    await screen.click("#tab-keys");
    await screen.see("#key-list", /user\/000/);
    await screen.click("#key-list [role=option]");
    await screen.see("#value-text", /number 0/);
    // The meter is drawn four times a second, not with each answer.
    await screen.see(".meter-requests", /^[1-9]/);
  });
});
