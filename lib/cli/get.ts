// `coracle get KEY`: the value as it was put, on stdout or in a file.
import type { Command } from "commander";
import { Failure } from "./failure.ts";
import { encodeValue } from "./item.ts";
import { print, printJson, shown } from "./output.ts";
import { clientCommand } from "./session.ts";
import { oneOf, type Settings, valuesOf } from "./settings.ts";

export const consistencySettings = {
  consistency: {
    flags: "--consistency <level>",
    variables: [],
    help: "linearizable, lease or stale (default: linearizable)",
    schema: oneOf(["linearizable", "lease", "stale"], "linearizable"),
  },
} satisfies Settings;

export function addGet(program: Command): void {
  const command = program.command("get").description("print a value").argument("<key>")
    .option("--file <path>", "write it to a file instead")
    .option("--consistency <level>", consistencySettings.consistency.help);
  clientCommand(command, async ({ client, json }) => {
    const key = command.args[0] ?? "";
    const { consistency } = valuesOf(consistencySettings, command, {});
    const item = await client.get(key, { consistency });
    if (item === null) throw new Failure(`there is no key ${shown(key)} (not_found)`);
    const { value, ...fields } = item;
    const file: string | undefined = command.opts()["file"];
    if (file !== undefined) await Bun.write(file, value);
    if (json) {
      await printJson(file === undefined ? { ...fields, ...encodeValue(value) } : { ...fields, file });
    } else if (file === undefined) {
      await print(value);
      // A prompt should not stand behind the value; a pipe gets the exact bytes.
      if (process.stdout.isTTY && value.at(-1) !== 10) await print("\n");
    }
  });
}
