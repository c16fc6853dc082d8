// Replicas on hosts of their own with real addresses, a secret and a token; cables are pulled, packets go one way only.
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { runCoracle } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { type Host, Hosts, whyNoHosts } from "../support/hosts.ts";
import type { NodeProcess } from "../support/node-process.ts";
import { type Fleet, withFleet } from "./fleet.ts";

const timeoutMs = 60_000;
const port = 8600;
const secret = "known to replicas";
const token = "known-to-clients";
/** Patient enough that no busy machine elects a leader of its own accord: some of these tests say that the term stays. */
const flags = ["--secret", secret, "--token", token, "--heartbeat-ms", "100", "--election-ms", "800"];

const refusal = whyNoHosts();

function testOnHosts(
  what: string,
  run: (fleet: Fleet, hosts: Hosts, hostOf: (id: string) => Host) => Promise<void>,
) {
  test(what, async () => {
    if (refusal !== null) return console.log(`not run here: ${what} (${refusal})`);
    using hosts = new Hosts();
    const known = new Map<string, Host>();
    const hostOf = (id: string) => {
      const host = known.get(id) ?? hosts.add(id);
      known.set(id, host);
      return host;
    };
    await withFleet(
      (fleet) => run(fleet, hosts, hostOf),
      (ids) =>
        ids.map(hostOf).map(({ address, prefix, fetch }) => ({
          ...{ host: address, port, prefix, flags },
          fetch: (url, init) => fetch(url, { headers: { Authorization: `Bearer ${token}` }, ...init }),
        })),
    );
  }, timeoutMs);
}

/** Who all of these name as the leader: one of them. */
async function leaderAmong(fleet: Fleet, nodes: readonly NodeProcess[]): Promise<NodeProcess> {
  return await eventually(async () => {
    const [first, ...others] = await Promise.all(nodes.map((node) => fleet.view(node)));
    const agreed = others.every(({ leader, term }) => leader === first?.leader && term === first?.term);
    return agreed && nodes.find(({ id }) => id === first?.leader);
  }, { deadlineMs: 20_000, what: `one of ${nodes.map(({ id }) => id).join()} leads` });
}

function without(node: NodeProcess, all: readonly NodeProcess[]): NodeProcess[] {
  return all.filter((other) => other !== node);
}

async function term(fleet: Fleet, node: NodeProcess): Promise<number | null> {
  return (await fleet.view(node)).term;
}

async function assertReads(
  nodes: readonly NodeProcess[],
  written: ReadonlyMap<string, string>,
): Promise<void> {
  for (const node of nodes) {
    for (const [key, value] of written) {
      const response = await node.fetch(`/v1/kv/${key}`);
      assertEquals([response.status, await response.text()], [200, value], `${key} at ${node.id}`);
    }
  }
}

/** It answers, with no, soon after the deadline that it was given. */
async function assertRefuses(node: NodeProcess): Promise<void> {
  const began = performance.now();
  const [write, read] = await Promise.all([
    node.fetch("/v1/kv/alone?timeout=1s", { method: "PUT", body: "x" }),
    node.fetch("/v1/kv/before?timeout=1s"),
  ]);
  // A leader that does not know yet that it is alone takes the write: that one is unknown.
  assert([503, 504].includes(write.status), `a write at ${node.id} answers ${write.status}`);
  assertEquals(read.status, 503);
  assert(performance.now() - began < 8_000, "an answer came much later than its deadline");
}

function isReady(node: NodeProcess, ready: boolean): Promise<boolean> {
  return eventually(async () => (await node.fetch("/readyz")).ok === ready, {
    deadlineMs: 20_000,
    what: `${node.id} is ${ready ? "ready" : "not ready"}`,
  });
}

describe("replicas on hosts of their own", () => {
  testOnHosts(
    "the leader's cable is pulled: it refuses, the others go on, nothing is lost",
    async (fleet, hosts, hostOf) => {
      const nodes = await fleet.form(3);
      const old = await leaderAmong(fleet, nodes);
      const others = without(old, nodes);
      const written = new Map([["before", "1"]]);
      await fleet.put(old, "before", "1");
      hosts.unplug(hostOf(old.id));
      await assertRefuses(old);
      await isReady(old, false);
      await assertRefuses(old);
      await leaderAmong(fleet, others);
      for (const node of others) {
        await fleet.put(node, `during/${node.id}`, "2");
        written.set(`during/${node.id}`, "2");
      }
      hosts.heal(hostOf(old.id));
      await isReady(old, true);
      await leaderAmong(fleet, nodes);
      await fleet.put(old, "after", "3");
      await assertReads(nodes, written.set("after", "3"));
    },
  );

  testOnHosts(
    "one way only: a leader that is deaf or mute is succeeded, a follower disturbs nobody",
    async (fleet, hosts, hostOf) => {
      const nodes = await fleet.form(3);
      await fleet.put(await leaderAmong(fleet, nodes), "before", "1");
      for (const way of ["deafen", "silence"] as const) {
        const old = await leaderAmong(fleet, nodes);
        const others = without(old, nodes);
        hosts[way](hostOf(old.id));
        await isReady(old, false);
        await assertRefuses(old);
        const next = await leaderAmong(fleet, others);
        assertNotEquals(next.id, old.id);
        await fleet.put(next, `${way}/leader`, "2");
        hosts.heal(hostOf(old.id));
        await isReady(old, true);
        await assertReads([old], new Map([["before", "1"], [`${way}/leader`, "2"]]));
      }
      for (const way of ["deafen", "silence"] as const) {
        const leader = await leaderAmong(fleet, nodes);
        const before = await term(fleet, leader);
        const [follower] = without(leader, nodes);
        assert(follower !== undefined);
        hosts[way](hostOf(follower.id));
        await isReady(follower, false);
        await fleet.put(leader, `${way}/follower`, "3");
        hosts.heal(hostOf(follower.id));
        await isReady(follower, true);
        await assertReads([follower], new Map([[`${way}/follower`, "3"]]));
        const after = await fleet.view(leader);
        assertEquals([after.leader, after.term], [leader.id, before], `after ${way} of ${follower.id}`);
      }
    },
  );

  testOnHosts(
    "removed while it was cut off: back again it learns it, goes quiet, and the term stays",
    async (fleet, hosts, hostOf) => {
      const nodes = await fleet.form(3);
      const leader = await leaderAmong(fleet, nodes);
      const [gone, other] = without(leader, nodes);
      assert(gone !== undefined && other !== undefined);
      hosts.unplug(hostOf(gone.id));
      await isReady(gone, false);
      const { prefix } = hostOf(leader.id);
      const removal = await runCoracle(["remove", gone.id, "--url", leader.url], {
        prefix,
        env: { TOKEN: token },
      });
      assertEquals(removal.code, 0, removal.stderr);
      await fleet.voters(other, [leader.id, other.id]);
      const before = await term(fleet, leader);
      assertEquals((await fleet.view(gone)).configuration.voters.length, 3);
      hosts.heal(hostOf(gone.id));
      await eventually(async () => (await fleet.view(gone)).node?.phase === "removed", {
        deadlineMs: 20_000,
        what: `${gone.id} learns that it was removed`,
      });
      const answer = await gone.fetch("/readyz");
      assertEquals(answer.status, 503);
      assertMatch(await answer.text(), /was removed from its cluster/);
      const write = await gone.fetch("/v1/kv/late", { method: "PUT", body: "x" });
      assertEquals(write.status, 503);
      for (let at = 0; at < 20; at++) await fleet.put(other, `after/${at}`, "x");
      const after = await fleet.view(leader);
      assertEquals([after.leader, after.term], [leader.id, before]);
    },
  );

  testOnHosts(
    "one gets another address and is reached; a stranger without secret and token gets nothing",
    async (fleet, hosts, hostOf) => {
      const [n1, n2, n3] = await fleet.form(3);
      assert(n1 !== undefined && n2 !== undefined && n3 !== undefined);
      await fleet.put(n1, "before", "1");
      await eventually(() => n2.logLines.some(({ message }) => message.includes("remembers where")), {
        what: "n2 has written down where the others are",
      });
      await n2.stop();
      hosts.move(hostOf("n2"));
      const moved = await fleet.start("n2");
      assertNotEquals(moved.url, n2.url);
      await moved.ready(20_000);
      for (const node of [n1, n3]) {
        await eventually(async () => {
          const view = await fleet.view(node);
          return view.members.find(({ id }) => id === "n2")?.url === moved.url;
        }, { what: `${node.id} knows where n2 is` });
      }
      // It votes from there: with n3 gone the write needs it.
      await n3.kill();
      await fleet.put(n1, "after", "2");
      await assertReads([n1, moved], new Map([["before", "1"], ["after", "2"]]));
      await strangersGetNothing(fleet, n1, hostOf("x"), moved);
    },
  );
});

async function strangersGetNothing(fleet: Fleet, member: NodeProcess, stranger: Host, other: NodeProcess) {
  const before = await fleet.view(member);
  for (const authorization of ["", "Bearer ", "Bearer wrong", `Bearer ${secret}`]) {
    for (
      const [method, path, body] of [
        ["GET", "/v1/kv/before"],
        ["GET", "/v1/kv/before?consistency=stale"],
        ["GET", "/v1/kv?prefix="],
        ["PUT", "/v1/kv/before", "theirs"],
        ["GET", "/v1/cluster"],
        [
          "POST",
          "/v1/cluster/members",
          `{"id":"x","url":"${stranger.address}","incarnation":"1","role":"voter"}`,
        ],
        ["DELETE", `/v1/cluster/members/${other.id}`],
        ["GET", "/metrics"],
      ] as const
    ) {
      const headers = authorization === "" ? {} : { authorization };
      const init = body === undefined ? { method, headers } : { method, headers, body };
      const response = await stranger.fetch(member.url + path, init);
      assertEquals(response.status, 401, `${method} ${path} with ${authorization || "nothing"}`);
    }
  }
  assertEquals((await stranger.fetch(`${member.url}/livez`)).status, 200);

  const wrong = fleet.make("x", ["--join", member.url, "--secret", "only guessed"]);
  await wrong.start();
  for (const node of [wrong, member]) {
    await eventually(
      () => node.logLines.some((line) => JSON.stringify(line).includes("another cluster secret")),
      {
        what: `${node.id} says that the secrets differ`,
      },
    );
  }
  const view = await fleet.view(wrong);
  assertEquals([view.node?.phase, view.members, view.leader], ["joining", [], null]);
  await wrong.kill();

  const open = ["serve", "--id", "x", "--host", stranger.address, "--data", `${fleet.data("x")}-open`];
  const none = await runCoracle([...open, "--open", "--join", member.url], { prefix: stranger.prefix });
  assertEquals(none.code, 2);
  assertMatch(none.stderr, /secret/);

  const after = await fleet.view(member);
  assertEquals([after.configuration, after.term], [before.configuration, before.term]);
}
