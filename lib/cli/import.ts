// `coracle import DIR|FILE.jsonl`: whole trees of files, or lines of items, many at once. Sending the same bytes again
// changes nothing but the revision, so that here, and only here, a write of unknown outcome is simply sent again; and a
// broken-off import is begun again, with --skip-existing if what is there shall stay.
import type { Command } from "commander";
import { stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { OutcomeUnknown, ProblemError, Unreachable } from "../client/mod.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { decodeValue, ItemLine } from "./item.ts";
import { byteLinesOf } from "./lines.ts";
import { bytesShown, printJson, printLine, Progress, shown } from "./output.ts";
import { clientCommand, type Session } from "./session.ts";
import { declare, type Settings, textOr, toggle, valuesOf, wholeNumber } from "./settings.ts";
import { type Tree, treeOf } from "./tree.ts";

const settings = {
  prefix: {
    flags: "--prefix <prefix>",
    variables: [],
    help: "put before every key, e.g. site/",
    schema: textOr(""),
  },
  parallel: {
    flags: "--parallel <number>",
    variables: [],
    help: "writes under way at once (default: 64)",
    schema: wholeNumber(64, 1, 1024),
  },
  retryMs: {
    flags: "--retry-ms <ms>",
    variables: [],
    help: "how long one item is tried again while the cluster cannot take it (default: 60000)",
    schema: wholeNumber(60_000, 0, 3_600_000),
  },
  skipExisting: {
    flags: "--skip-existing",
    variables: [],
    help: "leave keys alone that are there",
    schema: toggle(),
  },
} satisfies Settings;

/** Something to be put; read only when its turn comes, so that memory stays bounded. */
type Source = {
  readonly name: string;
  readonly read: () => Promise<{ key: string; value: Uint8Array<ArrayBuffer>; contentType: string }>;
};

type Failed = { readonly name: string; readonly reason: string };

export function addImport(program: Command): void {
  const command = program.command("import").description("put a folder's files or a .jsonl file's items")
    .argument("<source>", "a folder, a file as `coracle export` writes it, or - for such lines on stdin");
  declare(command, settings);
  clientCommand(command, async (session) => {
    const source = command.args[0] ?? "";
    const { prefix, parallel, retryMs, skipExisting } = valuesOf(settings, command, {});
    const { total, sources, leftOut } = await openSource(source, prefix);
    const progress = new Progress("imported");
    const failed: Failed[] = [];
    let skipped = 0;
    const queue = sources[Symbol.asyncIterator]();
    const worker = async () => {
      for (let next = await queue.next(); !next.done; next = await queue.next()) {
        try {
          const { key, value, contentType } = await next.value.read();
          const made = await putUntilDone(session, { key, value, contentType, skipExisting, retryMs });
          if (made) progress.add(value.byteLength);
          else skipped++;
          progress.show(total);
        } catch (error) {
          failed.push({
            name: next.value.name,
            reason: error instanceof Error ? error.message : String(error),
          });
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    progress.clear();
    await report(session, progress, { skipped, failed, leftOut });
  });
}

type Rest = {
  /** Were there already. */
  readonly skipped: number;
  readonly failed: readonly Failed[];
  /** No files. */
  readonly leftOut: Tree["leftOut"];
};

async function report({ json }: Session, progress: Progress, { skipped, failed, leftOut }: Rest) {
  const { done, bytes, seconds } = progress;
  if (json) {
    const took = Number(seconds.toFixed(3));
    await printJson({ imported: done, skipped, leftOut, failed, bytes, seconds: took });
  } else {
    if (leftOut.length > 0) console.error(`left out ${leftOut.length}, which are no files:`);
    for (const { name, reason } of leftOut) console.error(`  ${shown(name)}: ${reason}`);
    const left = skipped === 0 ? "" : `, ${skipped} were there already`;
    await printLine(`imported ${done} (${bytesShown(bytes)}) in ${seconds.toFixed(1)} s${left}`);
  }
  if (failed.length === 0) return;
  for (const { name, reason } of failed.slice(0, 20)) console.error(`  ${shown(name)}: ${reason}`);
  throw new Failure(`${failed.length} could not be imported (the first of them above); the rest is done`);
}

async function openSource(
  source: string,
  prefix: string,
): Promise<{ total: number | null; sources: AsyncIterable<Source>; leftOut: Tree["leftOut"] }> {
  if (source === "-") return { total: null, sources: items(Bun.stdin.stream(), prefix), leftOut: [] };
  const kind = await stat(source).catch(() => {
    throw new Failure(`${source} cannot be read: there is no such file or folder`);
  });
  if (kind.isFile()) {
    if (!/\.(jsonl|ndjson)$/.test(source)) {
      throw wrongUsage(`${source} is neither a folder nor a .jsonl file`);
    }
    return { total: null, sources: items(Bun.file(source).stream(), prefix), leftOut: [] };
  }
  const { paths, leftOut } = await treeOf(source);
  return { total: paths.length, sources: filesIn(source, paths, prefix), leftOut };
}

async function* filesIn(folder: string, paths: readonly string[], prefix: string): AsyncGenerator<Source> {
  const skip = join(folder, sep).length;
  for (const path of paths) {
    const key = prefix + path.slice(skip).replaceAll(sep, "/");
    const file = Bun.file(path);
    yield { name: path, read: async () => ({ key, value: await file.bytes(), contentType: file.type }) };
  }
}

async function* items(stream: ReadableStream<Uint8Array>, prefix: string): AsyncGenerator<Source> {
  let number = 0;
  for await (const line of byteLinesOf(stream)) {
    number++;
    if (line.every((byte) => byte <= 0x20)) continue;
    // deno-lint-ignore require-await -- what is wrong with a line is a rejection, as with a file
    yield { name: `line ${number}`, read: async () => itemOf(line, prefix) };
  }
}

/** Throws for what is no item; bytes that are no text are never repaired into other bytes. */
function itemOf(line: Uint8Array, prefix: string) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(line);
  } catch {
    throw new Error("it is no UTF-8 text");
  }
  const item = v.parse(ItemLine, JSON.parse(text));
  return { key: prefix + item.key, value: decodeValue(item), contentType: item.contentType };
}

type Put = {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  readonly skipExisting: boolean;
  readonly retryMs: number;
};

/** True: put. False: it was there already. Throws what waiting cannot mend, and what it did not mend in time. */
async function putUntilDone(
  { client }: Session,
  { key, value, contentType, skipExisting, retryMs }: Put,
): Promise<boolean> {
  const deadline = performance.now() + retryMs;
  for (let pauseMs = 50;; pauseMs = Math.min(2_000, pauseMs * 2)) {
    try {
      await client.put(key, value, { contentType, ifNoneMatch: skipExisting ? "*" : undefined });
      return true;
    } catch (error) {
      if (skipExisting && error instanceof ProblemError && error.status === 412) return false;
      if (!mayPass(error) || performance.now() + pauseMs > deadline) throw error;
      // Jitter, so that 64 writers do not come back in step.
      await sleep(pauseMs * (0.5 + Math.random()));
    }
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof OutcomeUnknown || error instanceof Unreachable) return true;
  return error instanceof ProblemError && (error.status === 503 || error.status === 429);
}
