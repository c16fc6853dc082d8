// What each method asks for, and what it makes of the answer.
import { assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "bun:test";
import { Client, ProblemError, UnexpectedAnswer } from "../../lib/client/mod.ts";
import { problem, scripted, value, written } from "./support.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

const listed = (key: string) => ({
  key,
  value: "v",
  encoding: "utf8",
  contentType: "text/plain",
  revision: 5,
  createRevision: 4,
  version: 2,
});

describe("put", () => {
  test("sends bytes, content type, conditions and token", async () => {
    await using server = scripted(written);
    const client = new Client({ urls: [server.url], token: "secret" });
    await client.put("a b/c", "text");
    await client.put("k", bytes("bytes"), { contentType: "image/png", ifMatch: 7 });
    await client.put("..", "", { ifMatch: "*" });
    await client.put("k", "", { ifNoneMatch: "*" });
    const header = (name: string) => server.seen.map(({ headers }) => headers.get(name));
    assertEquals(server.seen.map(({ path }) => path), ["/v1/kv/a%20b/c", "/v1/kv/k", "/v1/kv", "/v1/kv/k"]);
    assertEquals(server.seen[2]?.query.get("key"), "..");
    assertEquals(server.seen.map(({ body }) => body), ["text", "bytes", "", ""]);
    assertEquals(header("content-type").slice(0, 2), ["text/plain; charset=utf-8", "image/png"]);
    assertEquals(header("if-match"), [null, '"7"', "*", null]);
    assertEquals(header("if-none-match"), [null, null, null, "*"]);
    assertEquals(header("authorization")[0], "Bearer secret");
  });

  test("200 says that the key was there", async () => {
    await using server = scripted(() =>
      Response.json({ key: "k", revision: 9, createRevision: 7, version: 2 })
    );
    assertEquals((await new Client({ urls: [server.url] }).put("k", "v")).created, false);
  });
});

describe("get", () => {
  test("gives the value and what the headers say of it", async () => {
    await using server = scripted(value);
    const item = await new Client({ urls: [server.url] }).get("k", {
      consistency: "stale",
      maxStalenessMs: 2000,
    });
    assertEquals(item, {
      key: "k",
      value: bytes("v"),
      contentType: "text/x",
      revision: 7,
      createRevision: 3,
      version: 2,
    });
    assertEquals(server.seen[0]?.query.get("consistency"), "stale");
    assertEquals(server.seen[0]?.query.get("max_staleness"), "2000ms");
  });

  test("no such key is null; another 404 is a problem", async () => {
    await using server = scripted(problem(404, "not_found"), () => new Response("nginx", { status: 404 }));
    const client = new Client({ urls: [server.url] });
    assertEquals(await client.get("k"), null);
    await assertRejects(() => client.get("k"), ProblemError);
  });

  test("another server's page is no value", async () => {
    await using server = scripted(() => new Response("<h1>It works!</h1>", { headers: { etag: 'W/"abc"' } }));
    await assertRejects(() => new Client({ urls: [server.url] }).get("k"), UnexpectedAnswer);
  });
});

describe("delete", () => {
  test("one key, if it matches", async () => {
    await using server = scripted(() => Response.json({ deleted: 1, revision: 3 }));
    const client = new Client({ urls: [server.url] });
    assertEquals(await client.delete("a/b", { ifMatch: 2 }), { deleted: 1, revision: 3 });
    const [seen] = server.seen;
    assertEquals([seen?.method, seen?.path, seen?.headers.get("if-match")], ["DELETE", "/v1/kv/a/b", '"2"']);
  });

  test("a prefix with too many keys goes in steps", async () => {
    await using server = scripted(
      problem(413, "too_large"),
      () => Response.json({ revision: 5, items: ["p/1", "p/2", "p/3"].map(listed) }),
      () => Response.json({ deleted: 1, revision: 6 }),
      () => Response.json({ deleted: 1, revision: 7 }),
      () => Response.json({ deleted: 0, revision: 8 }),
      () => Response.json({ deleted: 10, revision: 9 }),
    );
    assertEquals(await new Client({ urls: [server.url] }).deletePrefix("p/"), { deleted: 12, revision: 9 });
    assertEquals(server.seen.map(({ method }) => method), [
      "DELETE",
      "GET",
      "DELETE",
      "DELETE",
      "DELETE",
      "DELETE",
    ]);
    assertEquals(server.seen.map(({ query }) => query.get("prefix")), ["p/", "p/", null, null, null, "p/"]);
  });

  test("413 of another kind does not go round for ever", async () => {
    await using server = scripted(
      problem(413, "too_large"),
      () => Response.json({ revision: 5, items: [] }),
      problem(500, "internal"),
    );
    await assertRejects(() => new Client({ urls: [server.url] }).deletePrefix("p/"), ProblemError);
  });
});

describe("list", () => {
  test("asks with all its parameters and decodes both encodings", async () => {
    const items = [
      listed("ö"),
      { ...listed("b"), value: "AP8=", encoding: "base64" },
      { key: "c", contentType: "", revision: 5, createRevision: 4, version: 2 },
    ];
    await using server = scripted(() => Response.json({ revision: 12, items, cursor: "next" }));
    const page = await new Client({ urls: [server.url] }).list({
      prefix: "a&/",
      start: "b",
      end: "c",
      limit: 3,
      cursor: "x",
      reverse: true,
      keysOnly: true,
    });
    assertEquals([page.revision, page.cursor], [12, "next"]);
    assertEquals(page.items.map((item) => item.value), [bytes("v"), new Uint8Array([0, 255]), null]);
    assertEquals(page.items[0]?.version, 2);
    const query = Object.fromEntries(server.seen[0]?.query ?? []);
    delete query["timeout"];
    assertEquals({ ...query }, {
      prefix: "a&/",
      start: "b",
      end: "c",
      limit: "3",
      cursor: "x",
      reverse: "true",
      keys_only: "true",
    });
  });

  test("without any option still says that it is a listing", async () => {
    await using server = scripted(() => Response.json({ revision: 0, items: [] }));
    assertEquals(await new Client({ urls: [server.url] }).list(), { revision: 0, items: [], cursor: null });
    assertEquals(server.seen[0]?.query.get("prefix"), "");
  });

  test("all pages, one after the other", async () => {
    await using server = scripted(
      () => Response.json({ revision: 1, items: [listed("a"), listed("b")], cursor: "after-b" }),
      () => Response.json({ revision: 2, items: [listed("c")], cursor: null }),
    );
    const keys: string[] = [];
    for await (const item of new Client({ urls: [server.url] }).listAll({ prefix: "p" })) keys.push(item.key);
    assertEquals(keys, ["a", "b", "c"]);
    assertEquals(server.seen.map(({ query }) => query.get("cursor")), [null, "after-b"]);
    assertEquals(server.seen.map(({ query }) => query.get("prefix")), ["p", "p"]);
  });

  test("what has another shape is refused, with the place", async () => {
    await using server = scripted(() =>
      Response.json({ revision: 1, items: [{ ...listed("a"), version: "2" }] })
    );
    await assertRejects(() => new Client({ urls: [server.url] }).list(), UnexpectedAnswer, "items.0.version");
  });
});

test("cluster: the picture, fields of later versions included", async () => {
  const cluster = {
    clusterId: "c1",
    term: 3,
    leader: "n1",
    revision: 9,
    configuration: { index: 1, joint: false, voters: ["n1"], learners: [] },
    members: [{
      id: "n1",
      url: "http://127.0.0.1:1",
      role: "voter",
      incarnation: "x",
      healthy: true,
      matchIndex: null,
      lag: null,
      lastContactMs: 0,
      version: "0.1.0",
      mood: "good",
    }],
  };
  await using server = scripted(() => Response.json(cluster));
  assertEquals(await new Client({ urls: [server.url] }).cluster() as unknown, cluster);
});
