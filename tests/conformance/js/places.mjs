// Where the cases run, opened as users of the package open it. The package itself is imported by whoever bundles or loads this
// file: `isledb-dist/` stands for `hosts/web/js/dist/`.
import { AwsClient } from "isledb-dist/vendor/aws4fetch.js";
import { Bridge } from "isledb-dist/bridge.js";
import { Failures } from "isledb-dist/failures.js";
import { Meter } from "isledb-dist/meter.js";
import { MemoryStore } from "isledb-dist/sources/memory.js";
import { resolve } from "isledb-dist/source.js";

/**
 * `kind`: memory, s3, presigned, r2. `bucket` says how to reach an S3 service, `r2` is the binding.
 */
export function openPlace({ kind, prefix, bucket }, { r2 } = {}) {
  const source = sourceOf(kind, prefix, bucket, r2);
  return {
    prefix,
    async open() {
      const { store } = await resolve(source, {}, new Meter(), {}, {});
      return new Bridge(store, new Failures());
    },
  };
}

function sourceOf(kind, prefix, bucket, r2) {
  switch (kind) {
    case "memory":
      return { store: new MemoryStore(), prefix };
    case "s3":
      return { s3: bucket, prefix };
    case "presigned":
      return { sign: signer(bucket), prefix };
    case "r2":
      return { r2, prefix };
    default:
      throw new Error(`no such kind of place: ${kind}`);
  }
}

/** What a service that gives out presigned URLs does. */
function signer({ endpoint, bucket, region, accessKeyId, secretAccessKey }) {
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3" });
  return async (method, path, query) => {
    const url = new URL(`${endpoint}/${bucket}/${path.split("/").map(encodeURIComponent).join("/")}`);
    url.search = query;
    url.searchParams.set("X-Amz-Expires", "600");
    return (await client.sign(url, { method, aws: { signQuery: true } })).url;
  };
}
