// When a request is sent again, and when never.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, test } from "bun:test";
import { Client, OutcomeUnknown, ProblemError, Unreachable } from "../../lib/client/mod.ts";
import { problem, raw, refusing, scripted, value, written } from "./support.ts";

describe("a write", () => {
  test("goes to the next URL when the first refuses the connection", async () => {
    await using server = scripted(written);
    const result = await new Client({ urls: [refusing(), server.url] }).put("k", "v");
    assertEquals(result, { key: "k", revision: 7, createRevision: 7, version: 1, created: true });
    assertEquals(server.seen.length, 1);
  });

  test("goes to the next URL after 503, at once", async () => {
    await using busy = scripted(problem(503, "unavailable", { "retry-after": "60" }));
    await using server = scripted(written);
    const client = new Client({ urls: [busy.url, server.url] });
    await client.put("k", "v");
    await client.put("k", "v");
    assertEquals(busy.seen.length, 1, "the one that answered last is asked first");
    assertEquals(server.seen.length, 2);
  });

  test("to a single URL waits as long as Retry-After says, and asks again", async () => {
    await using server = scripted(problem(503, "unavailable", { "retry-after": "1" }), written);
    const start = performance.now();
    await new Client({ urls: [server.url] }).put("k", "v");
    assert(performance.now() - start >= 990);
    assertEquals(server.seen.map(({ body }) => body), ["v", "v"]);
  });

  test("gives up with the problem where Retry-After is past the timeout", async () => {
    await using server = scripted(problem(503, "unavailable", { "retry-after": "30" }));
    const error = await assertRejects(
      () => new Client({ urls: [refusing(), server.url], timeoutMs: 2000 }).put("k", "v"),
      ProblemError,
    );
    assertEquals([error.status, error.code, error.title, error.detail, error.message], [
      503,
      "unavailable",
      "title of unavailable",
      "detail of unavailable",
      "detail of unavailable",
    ]);
    assertEquals(server.seen.length, 1);
  });

  test("429 is definitely not done as well", async () => {
    await using server = scripted(problem(429, "overloaded", { "retry-after": "0" }), written);
    await new Client({ urls: [server.url] }).put("k", "v");
    assertEquals(server.seen.length, 2);
  });

  for (const [status, code] of [[504, "outcome_unknown"], [500, "internal"], [502, ""]] as const) {
    test(`${status} is an unknown outcome, and nobody else is asked`, async () => {
      await using server = scripted(problem(status, code));
      await using other = scripted(written);
      const client = new Client({ urls: [server.url, other.url] });
      const error = await assertRejects(() => client.put("k", "v"), OutcomeUnknown);
      assert(error.cause instanceof ProblemError && error.cause.code === code);
      await assertRejects(() => client.delete("k"), OutcomeUnknown);
      await assertRejects(
        () => client.send({ method: "POST", target: "/v1/txn", body: "{}" }),
        OutcomeUnknown,
      );
      assertEquals([server.seen.length, other.seen.length], [3, 0]);
    });
  }

  for (
    const [status, code] of [[400, "invalid_request"], [401, "unauthorized"], [412, "precondition_failed"], [
      501,
      "not_implemented",
    ]] as const
  ) {
    test(`${status} is a problem, said once`, async () => {
      await using server = scripted(problem(status, code));
      await using other = scripted(written);
      const error = await assertRejects(
        () => new Client({ urls: [server.url, other.url] }).put("k", "v"),
        ProblemError,
      );
      assertEquals([error.status, error.code], [status, code]);
      assertEquals([server.seen.length, other.seen.length], [1, 0]);
    });
  }

  test("whose connection drops in mid-flight is unknown, and not sent again", async () => {
    using server = raw(() => "");
    await using other = scripted(written);
    const client = new Client({ urls: [server.url, other.url] });
    await assertRejects(() => client.put("k", "v"), OutcomeUnknown);
    assertEquals([server.requests.length, other.seen.length], [1, 0]);
  });

  test("whose answer is cut short is unknown", async () => {
    using server = raw(() => "HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{");
    await assertRejects(() => new Client({ urls: [server.url] }).put("k", "v"), OutcomeUnknown);
    assertEquals(server.requests.length, 1);
  });

  test("never takes a connection that was used before, where the runtime would send it twice", async () => {
    using server = raw((request) =>
      request === 1 ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" : ""
    );
    const client = new Client({ urls: [server.url] });
    // A read leaves an open connection behind.
    await assertRejects(() => client.get("k"), ProblemError);
    await assertRejects(() => client.put("k", "v"), OutcomeUnknown);
    await assertRejects(() => client.delete("k"), OutcomeUnknown);
    assertEquals(server.requests.map((text) => text.split(" ")[0]), ["GET", "PUT", "DELETE"]);
    assertStringIncludes(server.requests[1]?.toLowerCase() ?? "", "connection: close");
  });

  test("that nobody answers within the timeout is unknown", async () => {
    using server = raw(() => null);
    await using other = scripted(written);
    const client = new Client({ urls: [server.url, other.url], timeoutMs: 200 });
    // Of the 200 ms some may be gone before the attempt begins, and on a halted machine all before it is heard.
    await assertRejects(() => client.put("k", "v"), OutcomeUnknown, "no answer within");
    assert(server.requests.length <= 1);
    assertEquals(other.seen.length, 0);
  });

  test("that was refused stays refused where too little time is left to ask again", async () => {
    using silent = raw(() => null);
    const refusal = problem(503, "unavailable", { "retry-after": "1" });
    await using single = scripted(refusal, () => Bun.sleep(5_000).then(written));
    await assertRejects(
      () => new Client({ urls: [single.url], timeoutMs: 1_030 }).put("k", "v"),
      ProblemError,
      "unavailable",
    );
    assertEquals(single.seen.length, 1, "30 ms are no time for a write");
    await using slow = scripted(() => Bun.sleep(700).then(refusal));
    await assertRejects(
      () => new Client({ urls: [slow.url, silent.url], timeoutMs: 1_300 }).put("k", "v"),
      ProblemError,
      "unavailable",
    );
    assertEquals(silent.requests.length, 0, "another needs as long as the one before took");
  });

  test("a 2xx that is not ours leaves it unknown", async () => {
    await using server = scripted(() => new Response("<h1>It works!</h1>"));
    await assertRejects(() => new Client({ urls: [server.url] }).put("k", "v"), OutcomeUnknown);
  });
});

describe("a redirect", () => {
  test("is followed with method, body and token", async () => {
    await using leader = scripted(written);
    await using follower = scripted(() =>
      new Response(null, { status: 307, headers: { location: `${leader.url}/v1/kv/k?timeout=9s` } })
    );
    await new Client({ urls: [follower.url], token: "secret" }).put("k", "v");
    const [seen] = leader.seen;
    assertEquals([seen?.method, seen?.body, seen?.headers.get("authorization")], [
      "PUT",
      "v",
      "Bearer secret",
    ]);
  });

  test("in a circle ends", async () => {
    await using server = scripted(() =>
      new Response(null, { status: 307, headers: { location: "/v1/kv/k" } })
    );
    await assertRejects(() => new Client({ urls: [server.url] }).put("k", "v"), Unreachable, "circle");
  });
});

describe("a read", () => {
  test("goes on to the next URL after a refused, a dropped and a silent connection, and 503", async () => {
    using dropping = raw(() => "");
    using silent = raw(() => null);
    await using busy = scripted(problem(503, "unavailable"));
    await using server = scripted(value);
    const client = new Client({
      urls: [refusing(), dropping.url, silent.url, busy.url, server.url],
      timeoutMs: 1500,
    });
    const item = await client.get("k");
    assertEquals(item && new TextDecoder().decode(item.value), "v");
  });

  test("tells the server a deadline a little before its own", async () => {
    await using server = scripted(value);
    await new Client({ urls: [server.url], timeoutMs: 2000 }).get("k");
    const timeout = server.seen[0]?.query.get("timeout") ?? "";
    assert(/^(1[78]\d\d)ms$/.test(timeout), timeout);
    await new Client({ urls: [server.url], timeoutMs: 600_000 }).get("k");
    assertEquals(server.seen[1]?.query.get("timeout"), "60000ms", "no server takes more");
  });

  test("of a cluster that nobody started ends at once", async () => {
    const start = performance.now();
    await assertRejects(() => new Client({ urls: [refusing(), refusing()] }).get("k"), Unreachable);
    assert(performance.now() - start < 5000, "well before the timeout of 10 s");
  });
});

test("many operations at once share the URLs without skipping one", async () => {
  await using server = scripted(written);
  const client = new Client({ urls: [refusing(), refusing(), server.url] });
  await Promise.all(Array.from({ length: 20 }, () => client.put("k", "v")));
  assertEquals(server.seen.length, 20);
});

test("what is no URL of a node is refused when the client is made", () => {
  for (const urls of [[], ["localhost:8080"], ["nonsense"], ["ftp://a"]]) {
    assertThrows(() => new Client({ urls }), TypeError);
  }
  assert(new Client({ urls: ["http://127.0.0.1:8080/"] }) instanceof Client);
});
