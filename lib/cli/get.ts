// `coracle get KEY`: the value as it was put, on stdout or in a file.
import type { Command } from "commander";
import { Failure } from "./failure.ts";
import { writeNamed } from "./files.ts";
import { encodeValue } from "./item.ts";
import { print, printJson, shown } from "./output.ts";
import { clientCommand } from "./session.ts";
import { declare, oneOf, type Settings, text, valuesOf } from "./settings.ts";

export const consistencySettings = {
  consistency: {
    flags: "--consistency <level>",
    variables: [],
    help: "linearizable, lease or stale (default: linearizable)",
    schema: oneOf(["linearizable", "lease", "stale"], "linearizable"),
  },
} satisfies Settings;

const settings = {
  file: { flags: "--file <path>", variables: [], help: "write it to a file instead", schema: text() },
  ...consistencySettings,
} satisfies Settings;

export function addGet(program: Command): void {
  const command = declare(program.command("get").description("print a value").argument("<key>"), settings);
  clientCommand(command, async ({ client, json }) => {
    const key = command.args[0] ?? "";
    const { file, consistency } = valuesOf(settings, command, {});
    const item = await client.get(key, { consistency });
    if (item === null) throw new Failure(`there is no key ${shown(key)} (not_found)`);
    const { value, ...fields } = item;
    if (file !== null) await writeNamed(file, value);
    if (json) {
      await printJson(file === null ? { ...fields, ...encodeValue(value) } : { ...fields, file });
    } else if (file === null) {
      await print(value);
      // A prompt should not stand behind the value; a pipe gets the exact bytes.
      if (process.stdout.isTTY && value.at(-1) !== 10) await print("\n");
    }
  });
}
