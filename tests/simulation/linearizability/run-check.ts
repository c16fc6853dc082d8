// `coracle check` alone, with the executable's exit codes.
import { CommanderError } from "commander";
import { checkCommand } from "../../../lib/cli/check.ts";
import { Failure } from "../../../lib/cli/failure.ts";

try {
  await checkCommand().parseAsync(process.argv.slice(2), { from: "user" });
} catch (error) {
  if (error instanceof Failure) console.error(`coracle: ${error.message}`);
  else if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error instanceof Failure ? error.exitCode : 2;
}
