// `coracle del KEY` or `coracle del --prefix a/`.
import type { Command } from "commander";
import { wrongUsage } from "./failure.ts";
import { printJson, printLine } from "./output.ts";
import { clientCommand } from "./session.ts";
import { declare, type Settings, text, toggle, valuesOf } from "./settings.ts";

const settings = {
  prefix: {
    flags: "--prefix <prefix>",
    variables: [],
    help: "all keys that begin so; in steps where they are many",
    schema: text(),
  },
  all: { flags: "--all", variables: [], help: "every key there is", schema: toggle() },
} satisfies Settings;

export function addDel(program: Command): void {
  const command = declare(
    program.command("del").description("delete a key, or all keys with a prefix").argument("[key]"),
    settings,
  );
  clientCommand(command, async ({ client, json }) => {
    const key = command.args[0];
    const { prefix, all } = valuesOf(settings, command, {});
    if ([key !== undefined, prefix !== null, all].filter((given) => given).length !== 1) {
      throw wrongUsage("give a key or --prefix or --all, one of them");
    }
    // An empty variable in a script must not empty the store.
    if (prefix === "") throw wrongUsage(`--prefix "" would delete every key: give --all if that is meant`);
    const result = key === undefined ? await client.deletePrefix(prefix ?? "") : await client.delete(key);
    if (json) await printJson(result);
    else await printLine(`${result.deleted} deleted at revision ${result.revision}`);
  });
}
