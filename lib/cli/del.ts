// `coracle del KEY` or `coracle del --prefix a/`.
import type { Command } from "commander";
import { wrongUsage } from "./failure.ts";
import { printJson, printLine } from "./output.ts";
import { clientCommand } from "./session.ts";

export function addDel(program: Command): void {
  const command = program.command("del").description("delete a key, or all keys with a prefix").argument(
    "[key]",
  )
    .option("--prefix <prefix>", "all keys that begin so; in steps where they are many");
  clientCommand(command, async ({ client, json }) => {
    const key = command.args[0];
    const prefix: string | undefined = command.opts()["prefix"];
    if ((key === undefined) === (prefix === undefined)) {
      throw wrongUsage("give a key or --prefix, one of them");
    }
    const result = prefix === undefined ? await client.delete(key ?? "") : await client.deletePrefix(prefix);
    if (json) await printJson(result);
    else await printLine(`${result.deleted} deleted at revision ${result.revision}`);
  });
}
