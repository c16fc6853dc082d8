// `coracle ls`: keys in order, for people or as one JSON document like that of GET /v1/kv.
import type { Command } from "commander";
import type { ListedItem } from "../client/mod.ts";
import { consistencySettings } from "./get.ts";
import { encodeValue } from "./item.ts";
import { bytesShown, print, printLine, shown } from "./output.ts";
import { clientCommand } from "./session.ts";
import { declare, type Settings, textOr, toggle, valuesOf, wholeNumber } from "./settings.ts";

const settings = {
  prefix: { flags: "--prefix <prefix>", variables: [], help: "only keys that begin so", schema: textOr("") },
  limit: {
    flags: "--limit <number>",
    variables: [],
    help: "at most so many (default: all)",
    schema: wholeNumber(1e14, 1, 1e14),
  },
  keysOnly: { flags: "--keys-only", variables: [], help: "keys alone, one a line", schema: toggle() },
  reverse: { flags: "--reverse", variables: [], help: "from the last to the first", schema: toggle() },
  ...consistencySettings,
} satisfies Settings;

export function addLs(program: Command): void {
  const command = program.command("ls").description("list keys").argument("[prefix]");
  declare(command, settings);
  clientCommand(command, async ({ client, json }) => {
    const { prefix, limit, keysOnly, reverse, consistency } = valuesOf(settings, command, {});
    let left = limit;
    let revision = 0;
    let cursor: string | null = null;
    let began = false;
    do {
      const page = await client.list({
        ...{ prefix: command.args[0] ?? prefix, limit: Math.min(left, 1000), reverse, consistency },
        // Sizes are shown to people, so that values travel unless only keys are asked for.
        ...{ keysOnly, ...(cursor === null ? {} : { cursor }) },
      });
      // Only now: of a cluster that does not answer nothing is printed.
      if (json && !began) await print('{"items":[');
      began = true;
      const items = page.items.slice(0, left);
      revision = page.revision;
      cursor = page.cursor;
      if (items.length === 0) continue;
      if (json) await print((left < limit ? "," : "") + items.map(jsonItem).join(","));
      else await printLine(items.map((item) => line(item)).join("\n"));
      left -= items.length;
    } while (cursor !== null && left > 0);
    if (json) await printLine(`],"revision":${revision}}`);
  });
}

function jsonItem({ value, ...item }: ListedItem): string {
  return JSON.stringify(value === null ? item : { ...item, ...encodeValue(value) });
}

function line({ key, value, revision, contentType }: ListedItem): string {
  if (value === null) return shown(key);
  return [shown(key), bytesShown(value.byteLength), `revision ${revision}`, contentType].join("\t");
}
