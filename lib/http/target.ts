// The request target as it arrived: the raw path and the query, percent-decoded strictly. `new URL` and URLSearchParams
// would quietly repair what is malformed, and a repaired key is another key.
import { bad, type Checked, good } from "./problem.ts";

export type Query = ReadonlyMap<string, string>;

const NO_PARAMETERS: Query = new Map();

/** The raw path of an absolute URL: from the first slash after the host to the query, still percent-encoded. */
export function rawPath(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  return query < 0 ? url.slice(start) : url.slice(start, query);
}

/** `host` or `host:port` of an absolute URL. */
export function authority(url: string): string {
  const start = url.indexOf("://") + 3;
  const end = url.indexOf("/", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

/** Path and query as sent, for a redirect. */
export function rawTarget(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start < 0 ? "/" : url.slice(start);
}

/** The parameters after `?`; one given twice is refused, since either could be meant. */
export function parseQuery(url: string): Checked<Query> {
  const start = url.indexOf("?");
  if (start < 0) return good(NO_PARAMETERS);
  const parameters = new Map<string, string>();
  for (const pair of url.slice(start + 1).split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), true);
    const value = equals < 0 ? "" : decode(pair.slice(equals + 1), true);
    if (name === null || value === null) return bad("invalid_request", malformed("the query"));
    if (parameters.has(name)) {
      return bad("invalid_request", `The parameter "${name.slice(0, 64)}" is given twice.`);
    }
    parameters.set(name, value);
  }
  return good(parameters);
}

/** The text of a piece of a path, its slashes as they are. */
export function decodePath(raw: string): Checked<string> {
  if (raw.includes("#")) return bad("invalid_request", 'A "#" must be percent-encoded as %23.');
  const text = decode(raw, false);
  return text === null ? bad("invalid_request", malformed("the path")) : good(text);
}

function malformed(where: string): string {
  return `Malformed percent-encoding in ${where}: "%" is followed by two hexadecimal digits, and the bytes are UTF-8 ` +
    `(U+FFFD itself is written %ef%bf%bd, in lower case).`;
}

/** What Bun makes of each raw byte of a target that is no UTF-8; in lower case somebody has meant U+FFFD itself. */
const REPAIRED = "%EF%BF%BD";

/** null = a "%" without two hexadecimal digits, or bytes that are not UTF-8. */
function decode(raw: string, plusIsSpace: boolean): string | null {
  const text = plusIsSpace && raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  if (!text.includes("%")) return text;
  if (text.includes(REPAIRED)) return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
