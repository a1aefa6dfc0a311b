// From what people give (an address, a ticket, a folder) to what the package opens.

import { fromBase64, utf8 } from "./bytes.js";

/** A ticket in a link has at most so many characters; a longer one is named by its address. */
export const INLINE_TICKET_MAX = 32 * 1024;

/** What could not even be tried. `hint` says what to do, as the package's errors do. */
export class Refused extends Error {
  constructor(message, hint) {
    super(message);
    this.name = "Refused";
    this.hint = hint;
  }
}

/** {source, name, ticket?} of a typed address, or of a ticket that was put in its place. */
export function fromAddress(text) {
  text = text.trim();
  if (text.startsWith("{")) return fromTicketText(text);
  const cloud = /^(s3|gs|az):\/\//.exec(text);
  if (cloud) {
    throw new Refused(
      `A browser cannot open ${cloud[1]}:// addresses.`,
      `They need credentials, which do not belong in a page. Make a ticket with \`isledb sign ${text}\`, or give the https:// address of a public bucket.`,
    );
  }
  let url;
  try {
    url = new URL(text);
  } catch {
    throw new Refused(`${text} is no address.`, "Write it whole: https://host/prefix.");
  }
  if (!/^https?:$/.test(url.protocol)) {
    throw new Refused(`A page can read http:// and https:// alone, not ${url.protocol}//.`, "For a folder of this machine, drop it here.");
  }
  return { source: { url: url.href }, name: url.href };
}

/** Of `#ticket=`: the address of a ticket, or base64url of one. */
export function fromTicketLink(value) {
  if (/^https?:\/\//.test(value)) return { source: { ticket: new URL(value) }, name: value };
  if (value.length > INLINE_TICKET_MAX) {
    throw new Refused("The ticket in this link is too long for one.", "Put the ticket where a browser may read it, and link to it: #ticket=https://….");
  }
  let text = null;
  try {
    text = utf8(fromBase64(value));
  } catch {}
  if (text === null) throw new Refused("The ticket in this link is damaged.", "Ask for the link again; mail programs tend to cut long ones.");
  return fromTicketText(text);
}

/** Of the text of a ticket. */
export function fromTicketText(text) {
  let ticket;
  try {
    ticket = JSON.parse(text);
  } catch {
    throw new Refused("This is no ticket: it is not JSON.", "A ticket is what `isledb sign` prints, from the first brace to the last.");
  }
  if (!ticket || typeof ticket !== "object" || !("isledb_ticket" in ticket)) {
    throw new Refused("This JSON is no ticket.", "A ticket is what `isledb sign` prints; it has a member isledb_ticket.");
  }
  return { source: { ticket: text }, name: `ticket for ${ticket.prefix || "the whole bucket"}`, ticket };
}
