// A view ticket made by hand from a folder: plain URLs where `isledb sign` would put presigned ones.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Of the database `prefix` in the bucket `folder`, whose objects are served below `address`. `ttlMs` may lie in the past. */
export function ticketFor(folder, prefix, address, ttlMs = 600_000) {
  const root = join(folder, prefix);
  const body = readFileSync(join(root, "manifest/CURRENT"));
  const maxViewAge = JSON.parse(body).max_view_age_ms ?? 3_600_000;
  const objects = {};
  for (const part of ["sstable", "manifest/log", "manifest/snapshots", "blobs"]) {
    for (const name of filesBelow(join(root, part))) objects[`${part}/${name}`] = `${address}/${prefix}/${part}/${name}`;
  }
  const now = Date.now();
  const readAt = Math.min(now, now + ttlMs - 1000);
  return {
    isledb_ticket: 1,
    prefix,
    issued_at_ms: readAt,
    expires_at_ms: now + ttlMs,
    current: { version: `"${createHash("md5").update(body).digest("hex")}"`, body_b64: body.toString("base64"), read_at_ms: readAt },
    max_view_age_ms: maxViewAge,
    objects,
  };
}

function filesBelow(folder, path = "") {
  let names;
  try {
    names = readdirSync(join(folder, path));
  } catch {
    return [];
  }
  return names
    .filter((name) => !name.endsWith(".attrs") && !name.startsWith("."))
    .flatMap((name) => (statSync(join(folder, path, name)).isDirectory() ? filesBelow(folder, `${path}${name}/`) : [`${path}${name}`]));
}
