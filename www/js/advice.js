// What each kind of error means to somebody who looks at a database, and what to do. The package's errors are told apart by
// their name; their own hint stands where there is nothing better to say here.

/** The rules that let this page read, in the words of each store. */
function corsRules(origin) {
  return [
    [
      "S3, R2, MinIO",
      `[
  {
    "AllowedOrigins": ["${origin}"],
    "AllowedMethods": ["GET", "HEAD"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag", "Content-Range", "Content-Length", "Last-Modified"],
    "MaxAgeSeconds": 3600
  }
]`,
    ],
    [
      "Google Cloud Storage",
      `[
  {
    "origin": ["${origin}"],
    "method": ["GET", "HEAD"],
    "responseHeader": ["ETag", "Content-Range", "Content-Length", "Last-Modified", "Range", "If-None-Match"],
    "maxAgeSeconds": 3600
  }
]`,
    ],
    [
      "Azure",
      `az storage cors add --services b --origins '${origin}' --methods GET HEAD --allowed-headers '*' \\
  --exposed-headers 'ETag,Content-Range,Content-Length,Last-Modified' --max-age 3600`,
    ],
  ];
}

const ADVICE = {
  CorsError: (error, origin) => ({
    title: "The bucket does not let this page read",
    todo: `It answers, but its CORS rules do not name ${origin}. Whoever owns the bucket adds one of these; then try again.`,
    rules: corsRules(origin),
  }),
  PermissionError: () => ({
    title: "The store refuses",
    todo:
      "Nobody may read this without credentials, or the object is outside of what the ticket allows. Ask its owner for a ticket made by `isledb sign`, or for public read access. Some stores also say this where nothing is: look at the address.",
  }),
  ExpiredSignatureError: () => ({
    title: "The signature has expired",
    todo: "Presigned addresses and tickets live for a while only. Ask for a new ticket (`isledb sign --ttl 1h`), or one that renews itself (`--follow`).",
  }),
  WrongRegionError: (error) => ({
    title: "The bucket is in another region",
    todo: error.hint ?? "Use the address of the bucket's own region: https://BUCKET.s3.REGION.amazonaws.com/prefix.",
  }),
  NoRangeSupportError: () => ({
    title: "This server cannot send parts of a file",
    todo:
      "It answered a request for a range with the whole object, which is too large to take. Serve the folder by something that knows Range requests (any object store, nginx, `isledb inspect`), and look for a proxy that strips them.",
  }),
  CorruptError: (error) => ({
    title: error.object === "ticket" ? "This ticket is damaged" : "An object is damaged",
    todo: error.object === "ticket" ? "Nothing was read through it. Ask for it again: a ticket is what `isledb sign` prints, whole and unchanged." : "What was read is not what was written: a checksum or a length is wrong. Nothing of it is shown. `isledb verify --deep` finds all that is damaged; restore the object from a copy.",
  }),
  NotFoundError: () => ({
    title: "An object is missing",
    todo: "The database names an object that is not there. If it was deleted while this page was open, refresh; otherwise `isledb verify` lists what is missing.",
  }),
  UnavailableError: () => ({
    title: "The store cannot be reached",
    todo: "Look at the address and the network, then try again. A name that does not resolve, a server that is down and a blocked connection look the same from a page.",
  }),
  TimeoutError: () => ({
    title: "The store took too long",
    todo: "Try again. If it stays so, the store or the way to it is overloaded.",
  }),
  ExpiredError: () => ({
    title: "This has expired",
    todo: "A ticket, a view or a cursor may be used for a limited time, since what it refers to is deleted afterwards. Ask for a new ticket, refresh, or start the changes anew.",
  }),
  UntrustedError: () => ({
    title: "A signature does not fit",
    todo: "The tables of this database must be signed, and one is not, or by a key that is not trusted.",
  }),
  UnsupportedError: (error) => ({
    title: "This cannot be read here",
    todo: error.hint ?? "A newer version of the inspector may read it.",
  }),
  InvalidArgumentError: (error) => ({ title: "This does not work", todo: error.hint }),
  NoDatabase: (error) => ({ title: "There is no database here", todo: error.hint }),
  Refused: (error) => ({ title: "This cannot be opened", todo: error.hint }),
};

/** {title, todo, rules?} for people. */
export function advise(error, origin) {
  const known = ADVICE[error.name] ?? Object.entries(ADVICE).find(([name]) => isA(error, name))?.[1];
  return known?.(error, origin) ?? { title: "Something went wrong", todo: error.hint ?? "Try again. If it happens again, it is worth a report." };
}

/** Whether a class of this name is among the error's ancestors. */
function isA(error, name) {
  for (let at = Object.getPrototypeOf(error); at; at = Object.getPrototypeOf(at)) {
    if (at.constructor?.name === name) return true;
  }
  return false;
}
