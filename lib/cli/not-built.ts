// Commands that the contract names and that do not exist yet: they say so instead of being unknown.
import type { Command } from "commander";
import { notBuilt } from "./failure.ts";

const commands: Readonly<Record<string, string>> = {
  watch: "follow changes as they happen",
  txn: "several operations, all or nothing",
  lock: "hold a lock while a command runs",
  backup: "take a consistent copy",
  restore: "start a cluster from a copy",
  recover: "go on after the majority was lost",
  bench: "measure a cluster",
};

export function addCommandsNotBuilt(program: Command): void {
  for (const [name, what] of Object.entries(commands)) {
    program.command(name).description(`${what} (not built yet)`)
      .argument("[arguments...]").allowUnknownOption().helpOption(false)
      .action(() => {
        throw notBuilt(`coracle ${name}`);
      });
  }
}
