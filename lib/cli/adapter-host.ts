// The world under the adapters of `datacenter` and `maelstrom`: logs on stderr, faults that end the process at once.
import type { Command } from "commander";
import type { Host } from "../adapters/mod.ts";
import { clock, openLog, random, scheduler } from "../host/mod.ts";
import type { LogLevel } from "../replica/ports.ts";
import { wrongUsage } from "./failure.ts";

const levels: readonly LogLevel[] = ["debug", "info", "warning", "error"];
/** EX_SOFTWARE, as of `serve`. */
const brokenExitCode = 70;

export function declareLogLevel(command: Command): Command {
  return command.option("--log-level <level>", `what is said on stderr: ${levels.join(", ")}`, "warning");
}

/** Throws a Failure for a level that there is not. */
export function adapterHost(logLevel: string, end: (code: number) => never): Host {
  const level = levels.find((each) => each === logLevel);
  if (level === undefined) throw wrongUsage(`--log-level is one of ${levels.join(", ")}`);
  const log = openLog(level, "text");
  const broken = (what: string) => (error: unknown) => {
    log("error", what, { error: error instanceof Error ? error.stack ?? error.message : String(error) });
    end(brokenExitCode);
  };
  process.on("uncaughtException", broken("an exception that nobody handled: ending at once"));
  process.on("unhandledRejection", broken("a rejection that nobody handled: ending at once"));
  const fatal = broken("this replica must not go on");
  return { clock, scheduler, random, log, fatal, soon: queueMicrotask };
}
