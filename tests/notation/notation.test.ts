// What people write, as tables: one reading for all rooms.
import { assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { isLoopbackAddress, isLoopbackHost, parseDuration } from "../../lib/notation/mod.ts";
import { idPattern } from "../../lib/raft/mod.ts";

describe("loopback", () => {
  const addresses = [
    ...["127.0.0.1", "127.9.9.9", "127.255.255.254"],
    ...["::1", "::ffff:127.0.0.1", "::FFFF:127.0.0.1", "::ffff:7f00:1"],
  ];
  const names = ["localhost", "LocalHost", "[::1]", "[::ffff:7f00:1]"];
  const elsewhere = [
    ...["10.0.0.1", "128.0.0.1", "0.0.0.0", "::", "*", "fe80::1", "::2", "::ffff:10.0.0.1", "::ffff:8f00:1"],
    ...[
      "127.0.0.1.example",
      "127.0.0.256",
      "127.1",
      "127.0.0.1:80",
      "127.0.0.1\n",
      " 127.0.0.1",
      "a127.0.0.1",
    ],
    ...["localhost.example", "my-localhost", "localhost.", "[::1", "::1]", "[[::1]]", "unknown", ""],
  ];
  test("of a socket: digits only", () => {
    assertEquals([...addresses, ...names, ...elsewhere].filter(isLoopbackAddress), addresses);
  });
  test("of a URL or a setting: localhost and brackets, too", () => {
    assertEquals([...addresses, ...names, ...elsewhere].filter(isLoopbackHost), [...addresses, ...names]);
    const urls = [
      "http://LOCALHOST:1",
      "http://[::ffff:127.0.0.1]:1",
      "http://127.1",
      "http://[0:0:0:0:0:0:0:1]",
    ];
    assertEquals(urls.map((url) => isLoopbackHost(new URL(url).hostname)), [true, true, true, true]);
  });
});

test("durations", () => {
  const good: readonly (readonly [string, number])[] = [
    ["500ms", 500],
    ["1.5s", 1500],
    ["2m", 120_000],
    ["1.5h", 5_400_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["0s", 0],
  ];
  for (const [text, ms] of good) assertEquals(parseDuration(text), ms);
  for (const text of ["", "5", "s", "-1s", "1 s", "1e3s", ".5s", "5.s", "5S", "1w", "1h30m", "١s"]) {
    assertEquals([text, parseDuration(text)], [text, null]);
  }
});

test("ids", () => {
  const good = ["n1", "a", "A.b_c-9", "x".repeat(64)];
  const bad = ["", "x".repeat(65), "n 1", "n1~a", "n/1", "é", "n1\n"];
  assertEquals([...good, ...bad].filter((text) => idPattern.test(text)), good);
});
