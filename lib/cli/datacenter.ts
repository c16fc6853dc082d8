// `coracle datacenter <port> <id> <ids…>`: one replica under the course simulator, over one UDP socket on loopback.
import type { Command } from "commander";
import { Datacenter } from "../adapters/mod.ts";
import { adapterHost, declareLogLevel } from "./adapter-host.ts";
import { wrongUsage } from "./failure.ts";

/** FFFF is everybody. */
const idPattern = /^(?!FFFF$)[0-9A-F]{4}$/i;
/** After so long without a simulator at its port, its run is over. */
const goneMs = 3_000;

/** How the simulator calls whatever executable it was given: a port, then ids of four hex digits. */
export function isSimulatorCall(argv: readonly string[]): boolean {
  const [port = "", ...ids] = argv;
  return /^[0-9]{1,5}$/.test(port) && ids.length > 0 && ids.every((id) => idPattern.test(id));
}

export function addDatacenter(program: Command, end: (code: number) => never): void {
  const command = program.command("datacenter").description("serve the course simulator's protocol over UDP")
    .argument("<port>", "the simulator's UDP port on 127.0.0.1")
    .argument("<id>", "this replica: four hex digits")
    .argument("[others...]", "the other replicas");
  declareLogLevel(command).action(async (port: string, id: string, others: string[]) => {
    if (!isSimulatorCall([port, id, ...others])) {
      throw wrongUsage("expected a port, then ids of four hex digits (FFFF is none: it means everybody)");
    }
    if (new Set([id, ...others]).size !== others.length + 1) throw wrongUsage("an id stands there twice");
    const host = adapterHost(command, end);
    let refusedSince: number | null = null;
    const trouble = (error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ECONNREFUSED")) {
        return host.log("warning", "the socket", { error: String(error) });
      }
      const now = host.clock.monotonic();
      refusedSince ??= now;
      if (now - refusedSince < goneMs) return;
      host.log("info", `no simulator at port ${port} for ${goneMs} ms: its run is over`);
      end(0);
    };
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (_socket, bytes) => {
          refusedSince = null;
          datacenter.receive(bytes.toString("utf8"));
        },
        // The runtime's types name a socket before it, the runtime gives the error alone.
        error: (...given: unknown[]) => trouble(given.at(-1)),
      },
    });
    const send = (datagram: string) => {
      try {
        if (!socket.send(datagram, Number(port), "127.0.0.1")) {
          host.log("warning", "a datagram was not taken");
        }
      } catch (error) {
        // What came of an earlier datagram is told by the next one; either is only lost.
        trouble(error);
      }
    };
    const datacenter = new Datacenter({ host, id, others, send });
    datacenter.start();
    // SIGTERM is left to its default: it ends the process at once.
    await new Promise(() => {});
  });
}
