// `coracle maelstrom`: one node of Maelstrom's workload lin-kv. Lines of the protocol on stdin and stdout, logs on stderr.
import type { Command } from "commander";
import { Maelstrom } from "../adapters/mod.ts";
import { adapterHost, declareLogLevel } from "./adapter-host.ts";

export function addMaelstrom(program: Command, end: (code: number) => never): void {
  const command = program.command("maelstrom").description(
    "serve Maelstrom's protocol (lin-kv) on stdin and stdout",
  );
  declareLogLevel(command).action(async () => {
    const host = adapterHost(command, end);
    const maelstrom = new Maelstrom({ host, write: (line) => process.stdout.write(`${line}\n`) });
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of Bun.stdin.stream()) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.trim() !== "") maelstrom.receive(line);
    }
    // The end of stdin is the end of the test.
  });
}
