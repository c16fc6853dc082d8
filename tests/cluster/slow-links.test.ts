// Between places far apart an answer takes longer than the leader's first patience: everything must arrive, and once.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Cluster } from "../support/cluster.ts";
import { freePorts } from "../support/free-ports.ts";
import { NodeProcess } from "../support/node-process.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** One way; there and back is three heartbeats. */
const delayMs = 150;
const valueBytes = 100_000;
const writes = 12;

/** A long way to a node: what goes in comes out there later, in order. */
class LongWay implements Disposable {
  bytes = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.#sockets.add(from);
        from.on("data", (chunk) => {
          this.bytes += chunk.length;
          setTimeout(() => to.writable && to.write(chunk), delayMs);
        });
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          setTimeout(() => to.destroy(), delayMs);
        });
      }
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
    return `http://127.0.0.1:${address.port}`;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

test("over links slower than three heartbeats each value is sent to each follower once", async () => {
  await using folder = await tempFolder("slow-links");
  const ports = freePorts(3);
  using ways = new DisposableStack();
  const long = ports.map((port) => ways.use(new LongWay(port)));
  const urls = await Promise.all(long.map((way) => way.listen()));
  const peers = urls.map((url, at) => `n${at + 1}=${url}`).join(",");
  const nodes = ports.map((port, at) =>
    new NodeProcess({
      id: `n${at + 1}`,
      port,
      data: join(folder.path, `n${at + 1}`),
      flags: ["--peers", peers, "--advertise", urls[at] ?? "", "--election-ms", "2000"],
    })
  );
  const cluster = new Cluster(nodes);
  try {
    await Promise.all(nodes.map((node) => node.start()));
    // They tell each other the long way; clients are next to them.
    for (const [at, node] of nodes.entries()) node.reachedAt(`http://127.0.0.1:${ports[at]}`);
    await cluster.ready(40_000);
    const leader = await cluster.leader();
    const before = long.reduce((sum, { bytes }) => sum + bytes, 0);
    for (let nth = 0; nth < writes; nth++) {
      const body = new Uint8Array(valueBytes).fill(nth);
      const { status } = await leader.fetch(`/v1/kv/k${nth}?timeout=20s`, { method: "PUT", body });
      assertEquals(status, 201);
    }
    const sent = long.reduce((sum, { bytes }) => sum + bytes, 0) - before;
    const needed = writes * valueBytes * 2;
    console.log(`slow links: ${(sent / needed).toFixed(2)} times what is needed`);
    // A part of what everybody needs may still be on its way; of what is sent again for nothing there is a multiple.
    assert(sent < needed * 1.3, `${sent} bytes were sent for ${needed}`);
    const last = cluster.others(leader)[0];
    const read = await last?.fetch(`/v1/kv/k${writes - 1}?timeout=20s`);
    assertEquals([read?.status, (await read?.arrayBuffer())?.byteLength], [200, valueBytes]);
    cluster.assertHealthyLogs();
  } catch (error) {
    for (const node of nodes) console.error(node.logTail());
    throw error;
  } finally {
    await cluster.killAll();
  }
}, 120_000);
