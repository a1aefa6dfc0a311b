// Compiled by `tsc --strict` and never run: the types say what the package does.
import { Entry, IsleError, MemoryStore, Reader, type Change, type GetResult, type ObjectStore, type ViewInfo } from "isledb";
import { Database, type MaintenanceReport } from "isledb/full";
import { Reader as Verifying } from "isledb/verify";

export async function reads(bucket: FileSystemDirectoryHandle, list: FileList): Promise<void> {
  using reader: Reader = await Reader.open("https://host/db", { cacheBytes: 1, signal: new AbortController().signal });
  const value: Uint8Array | undefined = await reader.get("key");
  const text: string | undefined = await reader.getText(new Uint8Array());
  const many: (Uint8Array | undefined)[] = await reader.getMany(new Set(["a", "b"]));
  for await (const entry of reader.scan({ prefix: "p", limit: 3 })) {
    const kept: Entry = entry;
    const name: string = kept.keyText + kept.text;
    void name;
  }
  for await (const change of reader.tail({ from: "bootstrap" })) {
    const { op, sequence }: Change = change;
    const next: bigint = sequence + 1n;
    if (op === "put" || op === "delete") void next;
  }
  const view: ViewInfo = reader.view();
  const owner: string | undefined = view.writer?.owner;
  await Reader.open({ folder: bucket });
  await Reader.open({ files: list });
  await Reader.open({ sign: (method: string, path: string) => `https://host/${method}/${path}`, prefix: "db" });
  await Reader.open({ s3: { bucket: "b", accessKeyId: "i", secretAccessKey: "s" }, prefix: "db" });
  await Reader.open({ ticket: { isledb_ticket: 1 }, follow: { token: "t" } });
  await Verifying.open({ store: new MemoryStore() }, { trustedKeys: [new Uint8Array(32)], cache: "opfs" });
  // @ts-expect-error a source must be one of those that there are
  await Reader.open({ nowhere: true });
  // @ts-expect-error a key is text or bytes
  await reader.get(7);
  void [value, text, many, owner];
}

export class Own implements ObjectStore {
  async get(key: string): Promise<GetResult> {
    return { meta: { key, size: 0, version: "1" }, range: { start: 0, end: 0 }, body: new Uint8Array() };
  }
}

export async function writes(): Promise<MaintenanceReport> {
  const db = await Database.open({ store: new Own() }, { probe: false });
  await using writer = await db.writer({ owner: "o" });
  const sequence: bigint = await writer.put("k", "v", { ttlMs: 1 });
  await writer.batch([{ key: "a", value: "1" }, { key: "b" }]);
  const committed: bigint = await writer.flush();
  void [sequence, committed];
  await using maintenance = await db.maintenance();
  try {
    return await maintenance.runOnce();
  } catch (error) {
    if (error instanceof IsleError) throw new Error(`${error.code}: ${error.hint}`);
    throw error;
  }
}
