// Makes a container by a request signed with the account's key. usage: azure_container.mjs ENDPOINT ACCOUNT KEY CONTAINER
// Exit status 0: the container is there.
import { createHmac } from 'node:crypto';

const [endpoint, account, key, container] = process.argv.slice(2);
const headers = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-08-06' };
// Shared Key: verb, eleven headers that this request has not, our own headers, the resource (the emulator's path names the
// account again), the query. A PUT without a body signs an empty length.
const text = ['PUT', ...Array(11).fill(''), ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
  `/${account}/${account}/${container}`, 'restype:container'].join('\n');
const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
const answer = await fetch(`${endpoint}/${account}/${container}?restype=container`, {
  method: 'PUT',
  headers: { ...headers, authorization: `SharedKey ${account}:${signature}` },
});
if (answer.status !== 201 && answer.status !== 409) {
  console.error(answer.status, await answer.text());
  process.exit(1);
}
