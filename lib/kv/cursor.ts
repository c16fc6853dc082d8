// The cursor of a listing: the last key of a page in base64url, opaque to clients. It says nothing of a node or a
// revision, so that it works on any node at any time.
import { concatBytes } from "../bytes/mod.ts";
import type { Parsed } from "./parsed.ts";

const FORMAT = 1;
const MALFORMED: Parsed<never> = { ok: false, problem: "not a cursor that a listing gave" };

export function encodeCursor(key: Uint8Array): string {
  return concatBytes([new Uint8Array([FORMAT]), key]).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** The key to go on after. */
export function decodeCursor(cursor: string): Parsed<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(cursor, { alphabet: "base64url" });
  } catch {
    return MALFORMED;
  }
  if (bytes.byteLength < 2 || bytes[0] !== FORMAT) return MALFORMED;
  const key = bytes.subarray(1);
  // base64 has many spellings of the same bytes (padding, white space, spare bits); we gave exactly one.
  return encodeCursor(key) === cursor ? { ok: true, value: key } : MALFORMED;
}
