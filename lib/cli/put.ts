// `coracle put KEY [VALUE]`: a value from the command line, a file or stdin.
import type { Command } from "commander";
import * as v from "valibot";
import { Failure, wrongUsage } from "./failure.ts";
import { printJson, printLine, shown } from "./output.ts";
import { clientCommand } from "./session.ts";

const Revision = v.pipe(v.string(), v.regex(/^(\*|\d{1,15})$/));

export function addPut(program: Command): void {
  const command = program.command("put").description("set a value, from the command line, a file or stdin")
    .argument("<key>").argument("[value]")
    .option("--file <path>", "take the value from a file")
    .option("--content-type <type>", "kept with the value (default: by the file's name, else text or bytes)")
    .option("--if-match <revision>", "only if this revision is there; * = any")
    .option("--if-absent", "only if there is no such key");
  clientCommand(command, async ({ client, json }) => {
    const [key = "", value] = command.args;
    const { file, contentType, ifMatch, ifAbsent } = command.opts<Options>();
    if (value !== undefined && file !== undefined) throw wrongUsage("give a value or --file, not both");
    if (ifMatch !== undefined && ifAbsent) throw wrongUsage("give --if-match or --if-absent, not both");
    if (ifMatch !== undefined && !v.is(Revision, ifMatch)) {
      throw wrongUsage(`--if-match "${ifMatch}": a revision such as 7, or * is expected`);
    }
    const result = await client.put(key, value ?? await bytesOf(file), {
      contentType: contentType ?? (file === undefined ? undefined : Bun.file(file).type),
      ifMatch: ifMatch === undefined || ifMatch === "*" ? ifMatch : Number(ifMatch),
      ifNoneMatch: ifAbsent ? "*" : undefined,
    });
    if (json) await printJson(result);
    else {await printLine(
        `${shown(key)} ${result.created ? "made" : "changed"} at revision ${result.revision}`,
      );}
  });
}

type Options = { file?: string; contentType?: string; ifMatch?: string; ifAbsent?: boolean };

async function bytesOf(file: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (file === undefined) return await Bun.stdin.bytes();
  try {
    return await Bun.file(file).bytes();
  } catch (error) {
    throw new Failure(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}
