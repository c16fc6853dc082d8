// A node that cannot get in says why, wherever people look: `coracle status`, /readyz and its log.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "bun:test";
import { runCoracle } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import type { NodeProcess } from "../support/node-process.ts";
import { withFleet } from "./fleet.ts";

/** Waits until the node says so, and looks at every place where it should. */
async function saysWhy(node: NodeProcess, why: RegExp): Promise<void> {
  await eventually(async () => {
    const { detail } = await (await node.fetch("/readyz")).json() as { detail: string };
    if (!why.test(detail)) throw new Error(detail);
    return true;
  }, { what: `${node.id} says ${why}` });
  const { code, stdout, stderr } = await runCoracle(["status", "--url", node.url]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, new RegExp(`^coracle: .* is joining: .*${why.source}`));
  assert(node.logLines.some(({ message }) => message.startsWith("joining: ") && why.test(message)));
}

test("nothing listens, no Coracle, itself, another secret or none, an id that is taken", async () => {
  await withFleet(async (fleet) => {
    const n1 = await fleet.start("n1", [], { CLUSTER_SECRET: "known to all" });
    await n1.ready();
    using web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ahoy") });
    const [nobody = 0, own = 0] = freePorts(2);
    const joiner = (id: string, url: string, secret = "known to all", flags: readonly string[] = []) =>
      fleet.start(id, ["--join", url, ...flags], secret === "" ? {} : { CLUSTER_SECRET: secret });
    const [lost, misled, selfish, stranger, open, twin, both] = await Promise.all([
      joiner("lost", `http://127.0.0.1:${nobody}`),
      joiner("misled", `http://127.0.0.1:${web.port}`),
      joiner("selfish", `http://127.0.0.1:${own}`, "known to all", ["--port", String(own)]),
      joiner("stranger", n1.url, "known to one"),
      joiner("open", n1.url, ""),
      joiner("twin", n1.url, "known to all", ["--id", "n1"]),
      joiner("both", `http://127.0.0.1:${nobody},http://127.0.0.1:${web.port}`),
    ]);
    await saysWhy(lost, new RegExp(`http://127.0.0.1:${nobody}: connection refused`));
    await saysWhy(misled, new RegExp(`http://127.0.0.1:${web.port}: is not Coracle`));
    await saysWhy(selfish, new RegExp(`http://127.0.0.1:${own}: is this node itself`));
    await saysWhy(stranger, new RegExp(`${n1.url}: it has another cluster secret than this node`));
    await saysWhy(open, new RegExp(`${n1.url}: it has a cluster secret and this node has none`));
    await saysWhy(twin, /calls itself n1/);
    await saysWhy(both, /: connection refused.*; .*: is not Coracle/);
  });
}, 60_000);

test("add: nobody there is told as such, and soon; what is no URL is refused at once", async () => {
  await withFleet(async (fleet) => {
    const [n1] = await fleet.form(2);
    assert(n1 !== undefined);
    const [nobody] = freePorts(1);
    const url = `http://127.0.0.1:${nobody}`;
    for (const node of fleet.running) {
      const { code, stderr } = await runCoracle([
        ...["add", "n9", url, "--url", node.url, "--timeout-ms", "2500"],
      ]);
      assertEquals(code, 1);
      assertMatch(
        stderr,
        /^coracle: nobody called n9 answers at .* \(connection refused.*\): start it with --join \(unavailable\)\n$/,
      );
    }
    const body = JSON.stringify({ id: "n9", url: "ftp://n9" });
    assertEquals((await n1.fetch("/v1/cluster/members", { method: "POST", body })).status, 400);
    // A list made from a configuration that was never this one's.
    const late = { method: "PUT", body: '{"voters":["n1"]}', headers: { "if-match": '"99"' } };
    for (const node of fleet.running) {
      assertEquals((await node.fetch("/v1/cluster/configuration", late)).status, 412);
    }
    assertEquals((await fleet.view(n1)).configuration.voters, ["n1", "n2"]);
  });
}, 60_000);

test("status shows a change that waits, and why", async () => {
  await withFleet(async (fleet) => {
    const [n1] = await fleet.form(3);
    assert(n1 !== undefined);
    const leader = await fleet.leader();
    const [dead, left] = fleet.running.filter((node) => node !== leader);
    assert(dead !== undefined && left !== undefined);
    await dead.kill();
    // Who has just died still counts as living: then the change would be begun, and could not end.
    await eventually(async () => {
      const { members } = await fleet.view(leader);
      return members.some(({ id, lastContactMs }) => id === dead.id && (lastContactMs ?? 0) > 1_500);
    }, { what: `${dead.id} is known to be dead` });
    // Two would be left to decide, and one of them is dead: the leader waits a moment for it before it refuses.
    await eventually(async () => {
      const refused = leader.fetch(`/v1/cluster/members/${left.id}`, { method: "DELETE" });
      const said = await eventually(
        async () => {
          const { stdout } = await runCoracle(["status", "--url", leader.url]);
          return stdout.split("\n").find((line) => line.startsWith("a change waits")) ?? null;
        },
        { deadlineMs: 1_500, what: "the change is shown" },
      ).finally(() => refused);
      assertEquals((await refused).status, 409);
      assertMatch(said, new RegExp(`^a change waits: remove ${left.id} \\(.*no live majority`));
      return true;
    }, { what: "a change that waits is seen" });
  });
}, 60_000);
