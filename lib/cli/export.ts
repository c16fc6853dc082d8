// `coracle export DIR|FILE.jsonl|-`: everything with a prefix, as files or as lines of items that import reads again.
import type { Command } from "commander";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ListedItem } from "../client/mod.ts";
import { Failure } from "./failure.ts";
import { fileReason, openReplacement, type Replacement } from "./files.ts";
import { encodeValue } from "./item.ts";
import { bytesShown, print, printJson, Progress, shown } from "./output.ts";
import { clientCommand } from "./session.ts";
import { declare, type Settings, textOr, valuesOf } from "./settings.ts";

/** Where items go. `write` throws an Error whose message says why this one cannot go there. */
type Target = {
  write(key: string, value: Uint8Array<ArrayBuffer>, item: ListedItem): Promise<void>;
  close(): Promise<void>;
  /** It broke off. */
  abandon(): Promise<void>;
};

const settings = {
  prefix: {
    flags: "--prefix <prefix>",
    variables: [],
    help: "only keys that begin so; it is cut off",
    schema: textOr(""),
  },
} satisfies Settings;

export function addExport(program: Command): void {
  const command = declare(
    program.command("export").description("write all keys with a prefix to files or a .jsonl file")
      .argument("<target>", "a folder, a file ending in .jsonl, or - for lines on stdout"),
    settings,
  );
  clientCommand(command, async ({ client, json }) => {
    const targetName = command.args[0] ?? "";
    const { prefix } = valuesOf(settings, command, {});
    const target = openTarget(targetName);
    const progress = new Progress("exported");
    const failed: { key: string; reason: string }[] = [];
    try {
      for await (const item of client.listAll({ prefix, limit: 100 })) {
        const value = item.value ?? new Uint8Array();
        const reason = await target.write(item.key.slice(prefix.length), value, item).then(
          () => null,
          unwritten,
        );
        if (reason === null) progress.add(value.byteLength);
        else failed.push({ key: item.key, reason });
      }
      await target.close();
    } catch (error) {
      await target.abandon();
      throw error;
    }
    progress.clear();
    const { done, bytes, seconds } = progress;
    // The lines themselves are on stdout then.
    if (json && targetName !== "-") await printJson({ exported: done, bytes, failed });
    else console.error(`exported ${done} (${bytesShown(bytes)}) in ${seconds.toFixed(1)} s`);
    if (failed.length === 0) return;
    for (const { key, reason } of failed.slice(0, 20)) console.error(`  ${shown(key)}: ${reason}`);
    throw new Failure(`${failed.length} could not be exported; a .jsonl file takes any key`);
  });
}

/** Why one item could not be written; where nothing more can be, it is thrown on. */
function unwritten(error: unknown): string {
  if (error instanceof Failure) throw error;
  return fileReason(error);
}

function openTarget(name: string): Target {
  const nothing = () => Promise.resolve();
  if (name === "-") return lines({ write: print, finish: nothing, abandon: nothing });
  return /\.(jsonl|ndjson)$/.test(name) ? lines(openReplacement(name)) : folder(name);
}

function lines({ write, finish, abandon }: Replacement): Target {
  return {
    write: (key, value, { contentType }) =>
      key === ""
        ? Promise.reject(new Error("nothing is left of the key without the prefix"))
        : write(`${JSON.stringify({ key, ...encodeValue(value), contentType })}\n`),
    close: finish,
    abandon,
  };
}

/** One file for each key; what is no path of a file below the folder is refused. */
function folder(name: string): Target {
  return {
    async write(key, value) {
      const segments = key.split("/");
      if (segments.some((segment) => ["", ".", ".."].includes(segment) || /[\0\\]/.test(segment))) {
        throw new Error("the key is no path of a file");
      }
      const path = join(name, ...segments);
      await mkdir(dirname(path), { recursive: true });
      await Bun.write(path, value);
    },
    close: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}
