// Keys as the HTTP edge admits them: 1–2048 bytes of UTF-8. Inside kv a key is any bytes; other front doors bring others.
import type { Parsed } from "./parsed.ts";

/** Keyspaces keep the keys of different front doors apart: 0 to 255. */
export const HTTP_KEYSPACE = 0;

export const MAX_KEY_BYTES = 2048;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a key. Refuses the empty one, more than 2048 bytes, and what is not Unicode (lone surrogates). */
export function parseKey(text: string): Parsed<Uint8Array> {
  if (text === "") return { ok: false, problem: "a key has at least one byte" };
  return parseBound(text, "a key");
}

/** As `parseKey`, for prefixes and the ends of a range: these may be empty. */
export function parseBound(text: string, what = "a bound of a range"): Parsed<Uint8Array> {
  // A unit of UTF-16 takes at least one byte: what is far too long is not encoded first.
  if (text.length > MAX_KEY_BYTES) return tooLong(what);
  if (!text.isWellFormed()) {
    return { ok: false, problem: `${what} is Unicode text; this has half a surrogate pair` };
  }
  const bytes = encoder.encode(text);
  return bytes.byteLength > MAX_KEY_BYTES ? tooLong(what) : { ok: true, value: bytes };
}

function tooLong(what: string): Parsed<never> {
  return { ok: false, problem: `${what} has at most ${MAX_KEY_BYTES} bytes of UTF-8` };
}

/** The text of a key that the HTTP edge admitted; throws TypeError for other bytes. */
export function keyText(key: Uint8Array): string {
  return decoder.decode(key);
}
