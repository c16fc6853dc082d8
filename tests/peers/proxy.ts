// A TCP proxy in front of a node that can be slow, deaf or cut, for one channel or both, and keeps what was said.
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Channel } from "../../lib/replica/ports.ts";

export type Proxy = {
  readonly url: string;
  /** Stops reading from both sides of all connections of a channel: bytes back up, nothing is closed. */
  stall(channel: Channel): void;
  resume(channel: Channel): void;
  /** Breaks all connections of a channel. */
  cut(channel: Channel): void;
  /** How many connections of a channel were made so far. */
  made(channel: Channel): number;
  close(): void;
};

export async function startProxy(port: number): Promise<Proxy> {
  const pairs: { channel: Channel; near: Socket; far: Socket }[] = [];
  const stalled = new Set<Channel>();
  const server: Server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.once("data", (first) => {
      const channel = first.toString("latin1").includes("channel=bulk") ? "bulk" : "control";
      pairs.push({ channel, near, far });
      far.write(first);
      near.on("data", (bytes) => void far.write(bytes));
      far.on("data", (bytes) => void near.write(bytes));
      if (stalled.has(channel)) [near, far].forEach((socket) => socket.pause());
    });
    for (const [one, other] of [[near, far], [far, near]] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  const each = (channel: Channel, act: (socket: Socket) => void) => {
    for (const pair of pairs) if (pair.channel === channel) [pair.near, pair.far].forEach(act);
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    stall: (channel) => (stalled.add(channel), each(channel, (socket) => socket.pause())),
    resume: (channel) => (stalled.delete(channel), each(channel, (socket) => socket.resume())),
    cut: (channel) => each(channel, (socket) => socket.destroy()),
    made: (channel) => pairs.filter((pair) => pair.channel === channel).length,
    close: () => {
      for (const channel of ["control", "bulk"] as const) each(channel, (socket) => socket.destroy());
      server.close();
    },
  };
}
