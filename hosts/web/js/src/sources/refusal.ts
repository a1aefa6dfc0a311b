import {
  CorruptError,
  ExpiredSignatureError,
  IsleError,
  NotFoundError,
  PermissionError,
  UnavailableError,
  UnsupportedError,
  WrongRegionError,
} from "../errors.js";
import { StoreError } from "../store.js";

/** Text of a refusal that is read, in bytes. */
const MAX_TEXT = 4096;

/** What S3, GCS and Azure call a signature or a token that is too old. */
const EXPIRED = /ExpiredToken|Request has expired|TokenExpired|token (is |has )?expired|not valid in the specified time frame/i;
const REGION = /AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint|TemporaryRedirect|wrong region|region '[^']*' is wrong/i;

/**
 * The error that an answer means which is no success. `replaces`: a put of an object that must be there, so that "no such
 * object" means that its condition does not hold.
 */
export async function refusal(key: string, response: Response, method: string, replaces = false): Promise<IsleError | StoreError> {
  const { status } = response;
  if (status === 412 || status === 409 || (replaces && status === 404)) {
    await response.body?.cancel();
    return new StoreError("precondition", `${key}: the condition of the write did not hold`);
  }
  if (status === 404 || status === 410) {
    await response.body?.cancel();
    return new NotFoundError(`${key}: not found`, { object: key });
  }
  const text = await textOf(response);
  const said = `${method} ${key}: ${status} ${wordsOf(text) || response.statusText}`.trim();
  const details = { object: key };
  if (status === 416) return new CorruptError(`${said}: the range reaches beyond the object`, details);
  if (status === 408 || status === 429 || status >= 500) return new UnavailableError(said, details);
  if (status < 500 && REGION.test(text)) {
    const region = /<Region>([^<]+)<\/Region>/.exec(text)?.[1] ?? response.headers.get("x-amz-bucket-region");
    return new WrongRegionError(said, region ? { ...details, hint: `Set the region to ${region}.` } : details);
  }
  if (EXPIRED.test(text)) return new ExpiredSignatureError(said, details);
  if (/RequestTimeTooSkewed/.test(text)) {
    return new PermissionError(said, { ...details, hint: "Set this machine's clock: signatures hold for minutes." });
  }
  if (status === 401 || status === 403) return new PermissionError(said, details);
  if (status >= 300 && status < 400) return new WrongRegionError(said, details);
  if (status === 400 && /InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AccessDenied/.test(text)) {
    return new PermissionError(said, details);
  }
  return new UnsupportedError(said, details);
}

async function textOf(response: Response): Promise<string> {
  try {
    const length = Number(response.headers.get("content-length") ?? 0);
    if (length > 16 * MAX_TEXT) {
      await response.body?.cancel();
      return "";
    }
    return (await response.text()).slice(0, MAX_TEXT);
  } catch {
    // The status alone has to do.
    return "";
  }
}

/** Code and message of an XML error, or the first line of plain text. */
function wordsOf(text: string): string {
  const of = (tag: string) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1];
  const code = of("Code");
  if (code) return [code, of("Message"), of("AuthenticationErrorDetail")].filter(Boolean).join(": ");
  return text.startsWith("<") ? "" : (text.split("\n", 1)[0] ?? "").slice(0, 200);
}
