// An item as JSON carries it: text as it is, everything else as base64 (api.md, "Keys").
import * as v from "valibot";

export type Encoded = { readonly value: string; readonly encoding: "utf8" | "base64" };

export function encodeValue(bytes: Uint8Array): Encoded {
  try {
    const value = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { value, encoding: "utf8" };
  } catch {
    return { value: bytes.toBase64(), encoding: "base64" };
  }
}

/** One line of an exported file. */
export const ItemLine = v.object({
  key: v.pipe(v.string(), v.minLength(1)),
  // Half a surrogate pair has no bytes of its own.
  value: v.pipe(v.string(), v.check((value) => value.isWellFormed(), "the value is no Unicode text")),
  encoding: v.optional(v.picklist(["utf8", "base64"]), "utf8"),
  contentType: v.optional(v.string(), "application/octet-stream"),
});

/** Throws a SyntaxError for what is no base64. */
export function decodeValue({ value, encoding }: Encoded): Uint8Array<ArrayBuffer> {
  return encoding === "utf8" ? new TextEncoder().encode(value) : Uint8Array.fromBase64(value);
}
