import { CorruptError, InvalidArgumentError } from "../errors.js";
import type { Meter } from "../meter.js";
import type { ListOptions, ListPage, ObjectMeta } from "../store.js";
import { HttpStore, type Address } from "./http.js";
import { refusal } from "./refusal.js";

/** A bucket that speaks S3, with credentials. They are signed with here and never leave this program. */
export interface S3Bucket {
  bucket: string;
  /** Default: Amazon's, by the region. */
  endpoint?: string;
  /** Default: what the name of Amazon's endpoint says, else `us-east-1`. */
  region?: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** The bucket in the path instead of the host name. Default: yes, except at Amazon. */
  pathStyle?: boolean;
}

/** How long the URL of a read stays the same, so that a browser's caches and preflights may serve more than once. */
const SAME_URL_MS = 10 * 60 * 1000;
/** How long it is valid: well above that, for clocks that are behind. */
const VALID_SECONDS = 3600;

/**
 * Requests signed by npm's aws4fetch. Reads are presigned URLs: a browser sends no preflight for them, and may keep what never
 * changes. What writes, deletes or lists is signed by header.
 */
export class S3Store extends HttpStore {
  constructor(options: S3Bucket, meter: Meter) {
    const { root, region } = place(options);
    const { accessKeyId, secretAccessKey, sessionToken } = options;
    super(meter, async (method, key, query, headers): Promise<Address> => {
      const { AwsV4Signer } = await import("../vendor/aws4fetch.js");
      const url = new URL(root);
      // As the signature spells them: every byte but the unreserved ones as %XX.
      url.pathname += key.split("/").map(strictly).join("/");
      url.search = query;
      const request = { method, url: url.href, accessKeyId, secretAccessKey, sessionToken, region, service: "s3" };
      if (query === "" && (method === "GET" || method === "HEAD")) {
        url.searchParams.set("X-Amz-Expires", String(VALID_SECONDS));
        const since = Math.floor(Date.now() / SAME_URL_MS) * SAME_URL_MS;
        const datetime = new Date(since).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
        const signed = await new AwsV4Signer({ ...request, url: url.href, signQuery: true, datetime }).sign();
        return { url: signed.url };
      }
      const signed = await new AwsV4Signer({ ...request, headers }).sign();
      return { url: signed.url, headers: Object.fromEntries(signed.headers) };
    });
  }

  async list(prefix: string, { startAfter, signal }: ListOptions): Promise<ListPage> {
    const query = new URLSearchParams({ "list-type": "2", prefix });
    if (startAfter) query.set("start-after", startAfter);
    query.sort();
    const response = await this.request("GET", "", { query: query.toString().replaceAll("+", "%20"), signal });
    if (response.status !== 200) throw await refusal(prefix, response, "LIST");
    return pageOf(await response.text(), prefix);
  }
}

function strictly(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Where the bucket is: a URL that ends in a slash. */
function place({ bucket, endpoint, region, accessKeyId, secretAccessKey, pathStyle }: S3Bucket): { root: URL; region: string } {
  for (const [name, value] of Object.entries({ bucket, accessKeyId, secretAccessKey })) {
    if (typeof value !== "string" || value === "") throw new InvalidArgumentError(`s3.${name} is missing`);
  }
  let root;
  try {
    root = new URL(endpoint ?? `https://s3.${region ?? "us-east-1"}.amazonaws.com`);
  } catch (cause) {
    throw new InvalidArgumentError(`s3.endpoint ${JSON.stringify(endpoint)} is no URL`, { cause });
  }
  const amazon = /(^|\.)s3[.-]([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/.exec(root.hostname);
  const isAmazon = amazon !== null || root.hostname === "s3.amazonaws.com";
  if (!root.pathname.endsWith("/")) root.pathname += "/";
  if (pathStyle ?? (!isAmazon || bucket.includes("."))) root.pathname += `${strictly(bucket)}/`;
  else root.hostname = `${bucket}.${root.hostname}`;
  return { root, region: region ?? amazon?.[2] ?? "us-east-1" };
}

/**
 * A page of ListObjectsV2. No parser of XML is there in a worker; the document is flat. Keys are not asked for in encoded form:
 * services differ in what they make of a plus sign.
 */
function pageOf(xml: string, prefix: string): ListPage {
  if (!/<ListBucketResult[\s>]/.test(xml)) {
    throw new CorruptError(`LIST ${prefix}: the store answered with something else than a listing`, { object: prefix });
  }
  const objects = Array.from(xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g), ([, contents]): ObjectMeta => {
    const field = (name: string) => unescaped(new RegExp(`<${name}>([^<]*)</${name}>`).exec(contents ?? "")?.[1] ?? "");
    const modified = Date.parse(field("LastModified"));
    return {
      key: field("Key"),
      size: Number(field("Size")),
      version: field("ETag") || undefined,
      lastModifiedMs: Number.isNaN(modified) ? undefined : modified,
    };
  });
  return { objects, more: /<IsTruncated>true<\/IsTruncated>/.test(xml) };
}

function unescaped(text: string): string {
  const names: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) =>
    name ? (names[name] ?? whole) : String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16)),
  );
}
