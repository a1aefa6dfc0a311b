// The S3 service that the hosts share: started for the run, with the CORS rules that a browser needs.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { Missing, root } from "../../tools.mjs";

export { Missing };

/** What a bucket must allow for pages of another origin to read and write it. */
const CORS = `<CORSConfiguration><CORSRule>
  <AllowedOrigin>*</AllowedOrigin><AllowedHeader>*</AllowedHeader>
  <AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
  <AllowedMethod>POST</AllowedMethod><AllowedMethod>DELETE</AllowedMethod>
  <ExposeHeader>ETag</ExposeHeader><ExposeHeader>Content-Range</ExposeHeader><ExposeHeader>Content-Length</ExposeHeader>
  <ExposeHeader>Last-Modified</ExposeHeader><ExposeHeader>x-amz-bucket-region</ExposeHeader>
  <MaxAgeSeconds>600</MaxAgeSeconds>
</CORSRule></CORSConfiguration>`;

/** Starts it; `access` is what the package needs to reach the bucket, `variables` what the command does. */
export async function startStore() {
  const folder = mkdtempSync(`${tmpdir()}/isledb-conformance-`);
  const port = await freePort();
  const server = spawn(`${root}tests/servers/versitygw.sh`, [folder, String(port)], { stdio: ["pipe", "pipe", "inherit"] });
  const variables = {};
  const ended = new Promise((_, reject) => server.on("exit", (code) => reject(new Error(`the S3 service ended with ${code}`))));
  ended.catch(() => {});
  const ready = (async () => {
    for await (const line of createInterface({ input: server.stdout })) {
      if (line === "ready") return;
      variables[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    }
  })();
  await Promise.race([ready, ended]);
  const access = {
    endpoint: variables.AWS_ENDPOINT,
    bucket: new URL(variables.URL).host,
    region: variables.AWS_REGION,
    accessKeyId: variables.AWS_ACCESS_KEY_ID,
    secretAccessKey: variables.AWS_SECRET_ACCESS_KEY,
    pathStyle: true,
  };
  await allowOrigins(access);
  const stop = async () => {
    server.stdin.end();
    await new Promise((resolve) => server.on("exit", resolve));
    rmSync(folder, { recursive: true, force: true });
  };
  return { access, variables, stop };
}

async function allowOrigins(access) {
  const { AwsClient } = await import(`${root}hosts/web/js/dist/vendor/aws4fetch.js`);
  const client = new AwsClient({ ...access, service: "s3", retries: 0 });
  const md5 = createHash("md5").update(CORS).digest("base64");
  const answer = await client.fetch(`${access.endpoint}/${access.bucket}?cors`, { method: "PUT", body: CORS, headers: { "content-md5": md5 } });
  if (!answer.ok) throw new Error(`the bucket takes no CORS rules: ${answer.status} ${await answer.text()}`);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
