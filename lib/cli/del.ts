// `coracle del KEY` or `coracle del --prefix a/`.
import type { Command } from "commander";
import { wrongUsage } from "./failure.ts";
import { printJson, printLine } from "./output.ts";
import { clientCommand } from "./session.ts";
import { declare, type Settings, text, valuesOf } from "./settings.ts";

const settings = {
  prefix: {
    flags: "--prefix <prefix>",
    variables: [],
    help: "all keys that begin so; in steps where they are many",
    schema: text(),
  },
} satisfies Settings;

export function addDel(program: Command): void {
  const command = declare(
    program.command("del").description("delete a key, or all keys with a prefix").argument("[key]"),
    settings,
  );
  clientCommand(command, async ({ client, json }) => {
    const key = command.args[0];
    const { prefix } = valuesOf(settings, command, {});
    if ((key === undefined) === (prefix === null)) {
      throw wrongUsage("give a key or --prefix, one of them");
    }
    const result = prefix === null ? await client.delete(key ?? "") : await client.deletePrefix(prefix);
    if (json) await printJson(result);
    else await printLine(`${result.deleted} deleted at revision ${result.revision}`);
  });
}
