// Every key arrives at a server as the key it was, whichever of the two targets names it.
import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "bun:test";
import { keyTarget, withQuery } from "../../lib/client/mod.ts";

describe("the target of a key", () => {
  const table: [key: string, target: string][] = [
    ["a", "/v1/kv/a"],
    ["a/b/c", "/v1/kv/a/b/c"],
    ["a b", "/v1/kv/a%20b"],
    ["a?b#c", "/v1/kv/a%3Fb%23c"],
    ["50%", "/v1/kv/50%25"],
    ["a%2Fb", "/v1/kv/a%252Fb"],
    ["ö/\u{1F600}", "/v1/kv/%C3%B6/%F0%9F%98%80"],
    ["...", "/v1/kv/..."],
    ["a/.b", "/v1/kv/a/.b"],
    [".", "/v1/kv?key=."],
    ["a/../b", "/v1/kv?key=a%2F..%2Fb"],
    ["..", "/v1/kv?key=.."],
    ["a\\b", "/v1/kv?key=a%5Cb"],
    ["/a", "/v1/kv?key=%2Fa"],
    ["a/", "/v1/kv?key=a%2F"],
    ["a//b", "/v1/kv?key=a%2F%2Fb"],
    ["\0", "/v1/kv/%00"],
    // A proxy or runtime that decodes %2e first still finds no dot segment.
    ["%2e%2e", "/v1/kv/%252e%252e"],
  ];
  for (const [key, target] of table) {
    test(JSON.stringify(key), async () => {
      assertEquals(keyTarget(key), target);
      await using server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: (request) => new Response(request.url),
      });
      const seen = new URL(await (await fetch(new URL(keyTarget(key), server.url))).text());
      const inPath = decodeURIComponent(seen.pathname.slice("/v1/kv/".length));
      assertEquals(seen.searchParams.get("key") ?? inPath, key);
    });
  }

  test("half a surrogate pair is no key", () => {
    assertThrows(() => keyTarget("\uD800"), URIError);
  });

  test("query parameters follow the key's", () => {
    assertEquals(withQuery(keyTarget("a"), { timeout: "1s" }), "/v1/kv/a?timeout=1s");
    assertEquals(withQuery(keyTarget(".."), { timeout: "1s" }), "/v1/kv?key=..&timeout=1s");
    assertEquals(
      withQuery("/v1/kv", { prefix: "", reverse: false, limit: undefined, keys_only: true }),
      "/v1/kv?prefix=&keys_only=true",
    );
  });
});
