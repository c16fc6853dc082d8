// Which keys the HTTP edge admits.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "bun:test";
import { keyText, parseBound, parseKey } from "../../lib/kv/mod.ts";
import { bytes } from "./support.ts";

describe("a key", () => {
  for (
    const key of [
      "a",
      "a/b/c",
      "/",
      "//",
      "..",
      "\0",
      " ",
      "ö",
      "\u{1F600}",
      "\uFEFFa",
      "x".repeat(2048),
      "ö".repeat(1024),
    ]
  ) {
    test(`${JSON.stringify(key.slice(0, 10))} of ${bytes(key).byteLength} bytes is one, and comes back as it was`, () => {
      const parsed = parseKey(key);
      assert(parsed.ok);
      assertEquals(parsed.value, bytes(key));
      assertEquals(keyText(parsed.value), key);
    });
  }

  for (const key of ["", "x".repeat(2049), "ö".repeat(1024) + "x", "\uD800", "a\uDC00b", "x".repeat(1e6)]) {
    test(`${JSON.stringify(key.slice(0, 10))} of ${key.length} units is none`, () => {
      const parsed = parseKey(key);
      assert(!parsed.ok && parsed.problem.length > 10);
    });
  }

  test("a bound of a range may be empty", () => {
    assertEquals(parseBound(""), { ok: true, value: bytes("") });
    assertEquals(parseBound("x".repeat(2049)).ok, false);
    assertEquals(parseBound("\uDFFF").ok, false);
  });

  test("bytes that are not UTF-8 have no text", () => {
    assertThrows(() => keyText(new Uint8Array([0xff])), TypeError);
  });
});
