// Nodes that know only a name: they find each other by DNS, form one cluster, and take in who comes later.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
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
      for (const node of nodes) {
        await eventually(
          () => node.logLines.some(({ message }) => message.includes("two clusters could form")),
          {
            what: "it says that two clusters could form",
          },
        );
      }
      await eventually(() => dns.questions > 20, { what: "they have asked again and again" });
      for (const node of nodes) {
        const { clusterId, node: own } = await view(node);
        assertEquals(clusterId, null);
        assertMatch(own?.waitingFor ?? "", /more are needed/);
      }
      dns.addresses = ["127.0.0.2", "127.0.0.3"];
      await Promise.all(nodes.map((node) => node.ready()));
      assert((await view(nodes[0] as NodeProcess)).configuration.voters.length === 2);
    });
  }, 60_000);
});
