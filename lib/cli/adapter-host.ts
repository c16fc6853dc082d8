// The world under the adapters of `datacenter` and `maelstrom`: logs on stderr, faults that end the process at once.
import type { Command } from "commander";
import type { Host } from "../adapters/mod.ts";
import { clock, openLog, random, scheduler } from "../host/mod.ts";
import { declare, oneOf, type Settings, valuesOf } from "./settings.ts";

const settings = {
  logLevel: {
    flags: "--log-level <level>",
    variables: [],
    help: "what is said on stderr: debug, info, warning or error (default: warning)",
    schema: oneOf(["debug", "info", "warning", "error"], "warning"),
  },
} satisfies Settings;
/** EX_SOFTWARE, as of `serve`. */
const brokenExitCode = 70;

export function declareLogLevel(command: Command): Command {
  return declare(command, settings);
}

/** Throws a Failure for a level that there is not. */
export function adapterHost(command: Command, end: (code: number) => never): Host {
  const { logLevel } = valuesOf(settings, command, {});
  const log = openLog(logLevel, "text");
  const broken = (what: string) => (error: unknown) => {
    log("error", what, { error: error instanceof Error ? error.stack ?? error.message : String(error) });
    end(brokenExitCode);
  };
  process.on("uncaughtException", broken("an exception that nobody handled: ending at once"));
  process.on("unhandledRejection", broken("a rejection that nobody handled: ending at once"));
  const fatal = broken("this replica must not go on");
  return { clock, scheduler, random, log, fatal, soon: queueMicrotask };
}
