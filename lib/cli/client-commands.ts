// The commands that ask a running cluster.
import type { Command } from "commander";
import { addDel } from "./del.ts";
import { addExport } from "./export.ts";
import { addGet } from "./get.ts";
import { addImport } from "./import.ts";
import { addLs } from "./ls.ts";
import { addMemberCommands } from "./member-commands.ts";
import { addPut } from "./put.ts";
import { addStatus } from "./status.ts";

export function addClientCommands(program: Command): void {
  addMemberCommands(program);
  for (const add of [addGet, addPut, addDel, addLs, addImport, addExport, addStatus]) add(program);
}
