// The commands that change members, against servers that say what a test needs: what they ask for, and what they tell.
import { assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { replacement } from "../../lib/cli/replacement.ts";
import type { Cluster } from "../../lib/client/mod.ts";
import { runCoracle, type RunResult } from "../support/coracle.ts";

type Asked = { readonly line: string; readonly ifMatch: string | null; readonly body: string };
type Answer = { readonly status: number; readonly body: unknown };

/** A node that answers as it is told, in turn; the last answer stands. */
function node(id: string, answers: readonly Answer[]): { url: string; asked: Asked[] } & Disposable {
  const asked: Asked[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const force = searchParams.has("force") ? "?force" : "";
      const line = `${request.method} ${pathname}${force}`;
      const { status, body } = answers[Math.min(asked.length, answers.length - 1)] ??
        { status: 500, body: {} };
      asked.push({ line, ifMatch: request.headers.get("if-match"), body: await request.text() });
      return Response.json(body, { status, headers: { "coracle-node": id } });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, asked, [Symbol.dispose]: () => void server.stop(true) };
}

function cluster(index: number, names: readonly string[], joint = false): Cluster {
  const members = names.map((name) => {
    const [, role = "", id = "", incarnation = ""] = /^(\w+) (\w+)~(\w+)/.exec(name) ?? [];
    const unknown = { url: null, matchIndex: null, lag: null, lastContactMs: null, version: null };
    return { id, role, incarnation, healthy: !name.endsWith(" dead"), ...unknown };
  });
  const ids = (role: string) => members.filter((member) => member.role === role).map(({ id }) => id);
  const configuration = { index, joint, voters: ids("voter"), learners: ids("learner") };
  return { clusterId: "c1", term: 3, leader: "n1", revision: 9, configuration, members };
}

const done = { status: 200, body: cluster(9, ["voter n2~b"]).configuration };

function problem(status: number, code: string, detail: string): Answer {
  return { status, body: { status, code, title: code, detail } };
}

const run = (url: string, ...args: string[]): Promise<RunResult> =>
  runCoracle([...args, "--url", url, "--timeout-ms", "3000"]);

describe("replace", () => {
  const names = ["voter n1~a", "voter n2~b dead", "voter n3~c dead", "learner n3~d", "learner n4~e"];

  test("a node that lost its disk is there twice, and each is meant by its incarnation", () => {
    const asked = (old: string, by: string) => {
      const { voters, learners } = replacement(cluster(7, names), old, by);
      return `${voters.join()} ${learners.join()}`;
    };
    assertEquals(asked("n2", "n4"), "n1~a,n3~c,n4~e n3~d");
    assertEquals(asked("n3", "n4"), "n1~a,n2~b,n4~e ");
    assertEquals(asked("n3~c", "n3"), "n1~a,n2~b,n3~d n4~e");
    assertEquals(asked("n2", "n3~d"), "n1~a,n3~c,n3~d n4~e");
    assertEquals(asked("n4", "n3~d"), "n1~a,n2~b,n3~c n3~d");
  });

  test("what came in between is kept: it is read and asked for again", async () => {
    const changed = problem(412, "precondition_failed", "the configuration is another by now.");
    using fake = node("n1", [
      { status: 200, body: cluster(5, ["voter n1~a", "voter n2~b", "learner n4~d"]) },
      changed,
      { status: 200, body: cluster(6, ["voter n1~a", "voter n2~b", "learner n4~d"], true) },
      { status: 200, body: cluster(7, ["voter n1~a", "voter n2~b", "voter n3~c", "learner n4~d"]) },
      done,
    ]);
    const { code, stdout } = await run(fake.url, "replace", "n2", "n4");
    assertEquals([code, stdout], [0, "voters: n2 · learners: none\n"]);
    const puts = fake.asked.filter(({ line }) => line === "PUT /v1/cluster/configuration");
    assertEquals(puts.map(({ ifMatch }) => ifMatch), ['"5"', '"7"']);
    assertEquals(JSON.parse(puts[1]?.body ?? ""), { voters: ["n1~a", "n3~c", "n4~d"], learners: [] });
  });

  test("without end it is told, and nothing was done", async () => {
    using fake = node("n1", [{ status: 200, body: cluster(6, ["voter n1~a", "learner n4~d"], true) }]);
    const { code, stderr } = await runCoracle([
      ...["replace", "n1", "n4", "--url", fake.url, "--timeout-ms", "300"],
    ]);
    assertEquals(code, 1);
    assertMatch(stderr, /other changes of the members are running; nothing was done \(conflict\)/);
  });
});

describe("leave", () => {
  test("of several URLs only that of the node named", async () => {
    using one = node("n1", [{ status: 200, body: cluster(5, []) }]);
    using two = node("n2", [{ status: 200, body: cluster(5, []) }, done]);
    const { code } = await run(`${one.url},${two.url}`, "leave", "n2");
    assertEquals(code, 0);
    assertEquals(one.asked.map(({ line }) => line), ["GET /v1/cluster"]);
    assertEquals(two.asked.map(({ line }) => line), ["GET /v1/cluster", "DELETE /v1/cluster/members/n2"]);
  });

  test("another node answers: nobody leaves", async () => {
    using one = node("n1", [{ status: 200, body: cluster(5, []) }]);
    const { code, stderr } = await run(one.url, "leave", "n2");
    assertEquals(code, 1);
    assertMatch(stderr, /n1 answers at http.*: give the --url of n2, or remove it with coracle remove n2/);
    assertEquals(one.asked.length, 1);
  });
});

test("a conflict names the flag of the command line, which sends what it stands for", async () => {
  const conflict = problem(
    409,
    "conflict",
    "no live majority would be left; ?force=true does it all the same.",
  );
  using fake = node("n1", [conflict, done, done]);
  const { code, stderr } = await run(fake.url, "add", "n2", "--role", "learner");
  assertEquals([code, stderr], [
    1,
    "coracle: no live majority would be left; --force does it all the same (conflict)\n",
  ]);
  await run(fake.url, "add", "n2", "--role", "learner", "--force");
  await run(fake.url, "remove", "n2", "--force");
  const paths = [
    "POST /v1/cluster/members",
    "POST /v1/cluster/members?force",
    "DELETE /v1/cluster/members/n2?force",
  ];
  assertEquals(fake.asked.map(({ line }) => line), paths);
});
