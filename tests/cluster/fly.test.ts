// Machines of fly.io as far as that can be had here: their environment, real processes, a name with nothing but records of
// IPv6, volumes that move. Their own addresses stand for those of the private network.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, test } from "bun:test";
import { cp } from "node:fs/promises";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import { NodeProcess } from "../support/node-process.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { hasIpv6 } from "../support/ipv6.ts";
import { DnsServer } from "./dns-server.ts";

type View = {
  readonly configuration: { readonly voters: readonly string[] };
  readonly members: readonly { readonly id: string; readonly url: string | null; readonly region?: string }[];
};

const app = "shop";

/** 127.0.0.N, and the same address as a record of IPv6. */
const address = (n: number) => `127.0.0.${n}`;
const record = (n: number) => `::ffff:7f00:${n.toString(16)}`;

/** As on a machine of its own: every address, and how it is reached from here. */
type Special = { readonly everywhere: true; readonly expect: number; readonly env: Record<string, string> };

async function withApp(
  run: (
    machine: (id: string, n: number, volume: string, special?: Special) => Promise<NodeProcess>,
    dns: DnsServer,
  ) => Promise<void>,
): Promise<void> {
  await using folder = await tempFolder("fly");
  const dns = new DnsServer(`${app}.internal`);
  await dns.start();
  const [port = 0] = freePorts(1);
  const nodes: NodeProcess[] = [];
  const machine = async (id: string, n: number, volume: string, special?: Special) => {
    const node = new NodeProcess({
      ...{ id, named: false, port, data: `${folder.path}/${volume}` },
      // HOST is :: on fly.io; here the machines share one, and each has an address of it.
      ...(special?.everywhere ? {} : { host: address(n) }),
      flags: ["--expect", String(special?.expect ?? 3)],
      env: {
        ...{
          FLY_APP_NAME: app,
          FLY_MACHINE_ID: id,
          FLY_REGION: "fra",
          CLUSTER_SECRET: "known to replicas",
          TOKEN: "t",
        },
        ...{ CORACLE_DNS_SERVER: dns.address, ...special?.env },
      },
      fetch: (url, init) => fetch(url, { ...init, headers: { Authorization: "Bearer t" } }),
    });
    nodes.push(node);
    await node.start();
    // Its own URL is a name that only fly.io's resolver knows.
    node.reachedAt(`http://${address(n)}:${port}`);
    return node;
  };
  try {
    await run(machine, dns);
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

describe("machines of fly.io", () => {
  test(
    "three form a cluster by their environment alone; a volume under another machine is the same node",
    async () => {
      await withApp(async (machine, dns) => {
        dns.addresses = [record(2), record(3), record(4)];
        const [a, b, c] = await Promise.all([
          machine("148e1", 2, "vol1"),
          machine("148e2", 3, "vol2"),
          machine("148e3", 4, "vol3"),
        ]);
        assert(a !== undefined && b !== undefined && c !== undefined);
        await Promise.all([a, b, c].map((node) => node.ready()));
        const { members, configuration } = await view(a);
        assertEquals([...configuration.voters].sort(), ["148e1", "148e2", "148e3"]);
        const own = members.find(({ id }) => id === "148e1");
        assertStringIncludes(own?.url ?? "", "http://148e1.vm.shop.internal:");
        assertEquals(own?.region, "fra");

        // Its machine is gone, and its volume comes up under another one, elsewhere.
        await c.kill();
        dns.addresses = [record(2), record(3), record(5)];
        const moved = await machine("148e9", 5, "vol3");
        await moved.ready();
        await eventually(async () => {
          const seen = await view(a);
          assertEquals([...seen.configuration.voters].sort(), ["148e1", "148e2", "148e3"]);
          return seen.members.find(({ id }) => id === "148e3")?.url?.startsWith(
            "http://148e9.vm.shop.internal:",
          );
        }, { what: "the same node is known at its new machine" });
      });
    },
    60_000,
  );

  test(
    "a machine listens on all its addresses, and has metrics without a token on a port of their own",
    async () => {
      await withApp(async (machine, dns) => {
        dns.addresses = [record(2)];
        const special = { everywhere: true, expect: 1, env: { METRICS_PORT: "0" } } as const;
        const node = await machine("148e1", 2, "vol1", special);
        await node.ready();
        const serving = node.logLines.find(({ message }) => message === "serving");
        const { port } = new URL(String(serving?.["metrics"]));
        for (const host of ["127.0.0.1", "127.0.0.9", ...hasIpv6() ? ["[::1]"] : []]) {
          const metrics = await fetch(`http://${host}:${port}/metrics`);
          assertEquals([metrics.status, (await metrics.text()).includes("coracle_")], [200, true], host);
          const { port: own } = new URL(node.url);
          assertEquals((await fetch(`http://${host}:${own}/v1/cluster`)).status, 401, host);
        }
      });
    },
    60_000,
  );

  test("a copy of a volume whose machine lives is refused", async () => {
    await withApp(async (machine, dns) => {
      dns.addresses = [record(2), record(3), record(4)];
      const all = await Promise.all([2, 3, 4].map((n) => machine(`148e${n}`, n, `vol${n}`)));
      await Promise.all(all.map((node) => node.ready()));
      const [, , original] = all;
      assert(original !== undefined);
      await cp(original.data, `${original.data}-copy`, { recursive: true });
      dns.addresses = [...dns.addresses, record(5)];
      const copy = await machine("148e9", 5, "vol4-copy");
      await eventually(
        () => copy.logLines.some(({ message }) => message.includes("its data folder was copied")),
        { what: "the copy is told", deadlineMs: 15_000 },
      );
      assert(!copy.logLines.some(({ message }) => message.startsWith("linked to")));
      await original.ready();
    });
  }, 60_000);
});
