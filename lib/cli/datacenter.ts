// `coracle datacenter <port> <id> <ids…>`: one replica under the course simulator, over one UDP socket on loopback.
import type { Command } from "commander";
import { Datacenter } from "../adapters/mod.ts";
import { adapterHost, declareLogLevel } from "./adapter-host.ts";
import { wrongUsage } from "./failure.ts";

const idPattern = /^[0-9A-Fa-f]{4}$/;

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
      throw wrongUsage("expected a port, then ids of four hex digits");
    }
    if (new Set([id, ...others]).size !== others.length + 1) throw wrongUsage("an id stands there twice");
    const host = adapterHost(command, end);
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (_socket, bytes) => datacenter.receive(bytes.toString("utf8")),
        // A simulator that is gone (ECONNREFUSED) will end this process.
        error: (_socket, error) => host.log("warning", "the socket", { error: String(error) }),
      },
    });
    const send = (datagram: string) => {
      if (!socket.send(datagram, Number(port), "127.0.0.1")) host.log("warning", "a datagram was not taken");
    };
    const datacenter = new Datacenter({ host, id, others, send });
    datacenter.start();
    // SIGTERM is left to its default: it ends the process at once.
    await new Promise(() => {});
  });
}
