// Nodes that know only a name: they find each other by DNS, form one cluster, and take in who comes later.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { runCoracle } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import { hasIpv6 } from "../support/ipv6.ts";
import { NodeProcess } from "../support/node-process.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { DnsServer } from "./dns-server.ts";

type View = { clusterId: string | null; configuration: { voters: string[] }; node?: { waitingFor?: string } };

/** Machines: the same port on different addresses of loopback, as behind one name. */
async function withMachines(
  test: (
    start: (id: string, address: string, flags?: readonly string[]) => Promise<NodeProcess>,
    dns: DnsServer,
  ) => Promise<void>,
): Promise<void> {
  await using folder = await tempFolder("discovery");
  const dns = new DnsServer("coracle.test");
  await dns.start();
  const [port = 0] = freePorts(1);
  const nodes: NodeProcess[] = [];
  const secret = ["--secret", "of the fleet"];
  const start = async (id: string, address: string, flags: readonly string[] = ["--expect", "3"]) => {
    const node = new NodeProcess({
      ...{ id, port, data: `${folder.path}/${id}`, env: { CORACLE_DNS_SERVER: dns.address } },
      flags: ["--host", address, "--discover", `dns:coracle.test:${port}`, ...secret, ...flags],
    });
    nodes.push(node);
    await node.start();
    return node;
  };
  try {
    await test(start, dns);
  } catch (error) {
    for (const node of nodes) console.error(node.logTail(20));
    throw error;
  } finally {
    await Promise.all(nodes.filter(({ running }) => running).map((node) => node.kill()));
    dns.stop();
  }
}

async function view(node: NodeProcess): Promise<View> {
  return await (await node.fetch("/v1/cluster")).json() as View;
}

describe("discovery by DNS", () => {
  test("three find each other although they start one by one; a fourth is let in", async () => {
    await withMachines(async (start, dns) => {
      dns.addresses = ["127.0.0.2"];
      const first = await start("a", "127.0.0.2");
      await eventually(async () => /3 are needed/.test((await view(first)).node?.waitingFor ?? ""), {
        what: "the first one waits for others",
      });
      dns.addresses = ["127.0.0.2", "127.0.0.3"];
      const second = await start("b", "127.0.0.3");
      dns.addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "::1"];
      const third = await start("c", "127.0.0.4");
      const all = [first, second, third];
      await Promise.all(all.map((node) => node.ready()));
      const views = await Promise.all(all.map(view));
      assertEquals(new Set(views.map(({ clusterId }) => clusterId)).size, 1);
      assertEquals(views[0]?.configuration.voters.sort(), ["a", "b", "c"]);
      const fourth = await start("d", "127.0.0.5");
      await fourth.ready();
      await eventually(async () => (await view(first)).configuration.voters.length === 4, {
        what: "four vote",
      });
      const reader = await start("e", "127.0.0.6", ["--role", "learner"]);
      await reader.ready();
      assertEquals((await view(reader)).configuration.voters.length, 4);
    });
  }, 60_000);

  test("--expect that is not more than half of the machines is refused, and nothing is formed", async () => {
    await withMachines(async (start, dns) => {
      dns.addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
      const nodes = [
        await start("a", "127.0.0.2", ["--expect", "2"]),
        await start("b", "127.0.0.3", ["--expect", "2"]),
      ];
      const waits = async (node: NodeProcess, forWhat: string) =>
        (await view(node)).node?.waitingFor?.includes(forWhat) ?? false;
      for (const node of nodes) {
        await eventually(() => waits(node, "2 of the addresses found do not answer"), {
          what: "those who do not answer count",
        });
      }
      const more = [
        await start("c", "127.0.0.4", ["--expect", "2"]),
        await start("d", "127.0.0.5", ["--expect", "2"]),
      ];
      for (const node of nodes) {
        await eventually(
          () =>
            node.logLines.some(({ level, message }) =>
              level === "error" && message.includes("two clusters could form")
            ),
          { what: "it says that two clusters could form" },
        );
        assertEquals((await view(node)).clusterId, null);
      }
      await Promise.all(more.map((node) => node.kill()));
      dns.addresses = ["127.0.0.2", "127.0.0.3"];
      await Promise.all(nodes.map((node) => node.ready()));
      assert((await view(nodes[0] as NodeProcess)).configuration.voters.length === 2);
    });
  }, 60_000);

  test("machines with two addresses each count once, and a learner not at all", async () => {
    await withMachines(async (start, dns) => {
      const machines = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
      // The same addresses of IPv4 once more, as records of IPv6.
      dns.addresses = [...machines, "::ffff:7f00:2", "::ffff:7f00:3", "::ffff:7f00:4", "127.0.0.5"];
      const learner = await start("e", "127.0.0.5", ["--role", "learner"]);
      const nodes = await Promise.all(["a", "b", "c"].map((id, at) => start(id, machines[at] ?? "")));
      await Promise.all([...nodes, learner].map((node) => node.ready()));
      assertEquals((await view(nodes[0] as NodeProcess)).configuration.voters.sort(), ["a", "b", "c"]);
    });
  }, 60_000);

  test("a started cluster whose addresses have all changed finds itself by the name", async () => {
    await withMachines(async (start, dns) => {
      dns.addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
      const ids = ["a", "b", "c"];
      const before = await Promise.all(ids.map((id, at) => start(id, dns.addresses[at] ?? "")));
      await Promise.all(before.map((node) => node.ready()));
      await Promise.all(before.map((node) => node.kill()));
      dns.addresses = ["127.0.0.12", "127.0.0.13", "127.0.0.14"];
      const after = await Promise.all(ids.map((id, at) => start(id, dns.addresses[at] ?? "")));
      await Promise.all(after.map((node) => node.ready()));
    });
  }, 60_000);

  test("a name with nothing but IPv6: a second node finds the first", async () => {
    if (!hasIpv6()) return void console.log("skipped: this machine has no ::1");
    await withMachines(async (start, dns) => {
      dns.addresses = ["::1"];
      const first = await start("a", "::1", ["--expect", "1"]);
      await first.ready();
      const second = await start("b", "127.0.0.2");
      await second.ready();
      assertEquals((await view(first)).configuration.voters.sort(), ["a", "b"]);
    });
  }, 60_000);

  test("what is wrong with DNS is said: no such name, no server, no address of one", async () => {
    await withMachines(async (start, dns) => {
      const says = (node: NodeProcess, pattern: RegExp) =>
        eventually(() => node.logLines.some(({ message }) => pattern.test(message)), { what: `${pattern}` });
      const name = ["--discover", "dns:nobody.test"];
      await says(
        await start("a", "127.0.0.2", [...name, "--expect", "3"]),
        /has no A or AAAA record of nobody\.test/,
      );
      await says(await start("b", "127.0.0.3"), /has no A or AAAA record of coracle\.test/);
      dns.stop();
      await says(
        await start("c", "127.0.0.4"),
        /no answer about coracle\.test from the DNS server \(127\.0\.0\.1/,
      );
      const env = { CORACLE_DNS_SERVER: "garbage" };
      const { code, stderr } = await runCoracle(["serve", "--discover", "dns:coracle.test"], { env });
      assertEquals(code, 2);
      assertMatch(stderr, /CORACLE_DNS_SERVER "garbage": addresses such as 10\.0\.0\.53/);
    });
  }, 60_000);
});
