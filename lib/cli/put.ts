// `coracle put KEY [VALUE]`: a value from the command line, a file or stdin.
import type { Command } from "commander";
import { fstatSync } from "node:fs";
import * as v from "valibot";
import { Failure, wrongUsage } from "./failure.ts";
import { fileReason } from "./files.ts";
import { printJson, printLine, shown } from "./output.ts";
import { clientCommand } from "./session.ts";
import { declare, type Settings, text, toggle, valuesOf } from "./settings.ts";

const settings = {
  file: { flags: "--file <path>", variables: [], help: "take the value from a file", schema: text() },
  contentType: {
    flags: "--content-type <type>",
    variables: [],
    help: "kept with the value (default: by the file's name, else text or bytes)",
    schema: text(),
  },
  ifMatch: {
    flags: "--if-match <revision>",
    variables: [],
    help: "only if this revision is there; * = any",
    schema: v.pipe(
      v.optional(v.pipe(v.string(), v.regex(/^(\*|\d{1,15})$/, "a revision such as 7, or * is expected"))),
      v.transform((value) => value === undefined || value === "*" ? value : Number(value)),
    ),
  },
  ifAbsent: { flags: "--if-absent", variables: [], help: "only if there is no such key", schema: toggle() },
} satisfies Settings;

export function addPut(program: Command): void {
  const command = declare(
    program.command("put").description("set a value, from the command line, a file or stdin")
      .argument("<key>").argument("[value]"),
    settings,
  );
  clientCommand(command, async ({ client, json }) => {
    const [key = "", value] = command.args;
    const { file, contentType, ifMatch, ifAbsent } = valuesOf(settings, command, {});
    if (value !== undefined && file !== null) throw wrongUsage("give a value or --file, not both");
    if (ifMatch !== undefined && ifAbsent) throw wrongUsage("give --if-match or --if-absent, not both");
    const result = await client.put(key, value ?? await bytesOf(file), {
      contentType: contentType ?? (file === null ? undefined : Bun.file(file).type),
      ifMatch,
      ifNoneMatch: ifAbsent ? "*" : undefined,
    });
    if (json) await printJson(result);
    else {await printLine(
        `${shown(key)} ${result.created ? "made" : "changed"} at revision ${result.revision}`,
      );}
  });
}

async function bytesOf(file: string | null): Promise<Uint8Array<ArrayBuffer>> {
  if (file === null) return await pipedBytes();
  try {
    return await Bun.file(file).bytes();
  } catch (error) {
    throw new Failure(`${file} cannot be read: ${fileReason(error)}`);
  }
}

/** A pipe or a file on stdin is meant as the value; a terminal, /dev/null (as under cron) or nothing at all is an oversight. */
async function pipedBytes(): Promise<Uint8Array<ArrayBuffer>> {
  let meant;
  try {
    meant = !fstatSync(0).isCharacterDevice();
  } catch {
    meant = false;
  }
  if (!meant) throw wrongUsage('give a value ("" for an empty one) or --file, or pipe the value in');
  return await Bun.stdin.bytes();
}
